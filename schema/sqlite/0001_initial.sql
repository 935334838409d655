-- poold, schema 1. Applied in one transaction; PRAGMA user_version counts the migrations.
--
-- Keys are computed, so that the tables themselves are the indexes: (seq << 32) | n, where seq is the job's number
-- (the second half of its id) and n the index of the first item, the position in completion order, or a serial number.
-- Small columns stand before big ones: a row is read up to the last column that is asked for. Times are wall ms.
-- For people: the views at the end.

PRAGMA application_id = 0x706f6f6c;

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('last_seq', 0); -- the largest seq whose row was removed: no seq is ever given out again

CREATE TABLE job (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    function TEXT NOT NULL,
    state INTEGER NOT NULL,      -- 1 open 2 ready 3 running 4 succeeded 5 failed 6 cancelled
    total INTEGER NOT NULL,      -- items
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    positions INTEGER NOT NULL,  -- results committed
    created_ms INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, -- 0 = not yet
    ended_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL, -- 0 = never; a deleted job has 1
    deleted INTEGER NOT NULL DEFAULT 0,
    uploading INTEGER NOT NULL,
    open INTEGER NOT NULL,
    kind INTEGER NOT NULL,       -- 1 map 2 apply 3 starmap
    chunksize INTEGER NOT NULL,
    processes INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    backoff_ms INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    isolation INTEGER NOT NULL,  -- 0 pool 1 process
    fail_fast INTEGER NOT NULL,
    delay_ms INTEGER NOT NULL,
    retention_s INTEGER NOT NULL,
    retry_of INTEGER NOT NULL,   -- seq of another job or 0
    retry_of_created_ms INTEGER NOT NULL,
    retried_by INTEGER NOT NULL,
    retried_by_created_ms INTEGER NOT NULL,
    fingerprint INTEGER,         -- of the request that came with `key`
    key TEXT,                    -- Idempotency-Key
    name TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX job_state ON job (state);
CREATE INDEX job_function ON job (function);
CREATE INDEX job_expires ON job (expires_ms) WHERE expires_ms <> 0;
CREATE UNIQUE INDEX job_key ON job (key) WHERE key IS NOT NULL;

CREATE TABLE chunk (
    key INTEGER PRIMARY KEY,     -- seq << 32 | index of the first item
    count INTEGER NOT NULL,
    origins BLOB,                -- of a retry: per item its index in the first job, 32 bits, native
    items TEXT NOT NULL          -- one JSON text a line
) STRICT;

CREATE TABLE result (
    key INTEGER PRIMARY KEY,     -- seq << 32 | position in completion order
    place INTEGER NOT NULL,      -- seq << 32 | index of the first item
    count INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    lines TEXT                   -- one result a line, as clients read them; NULL: all were cancelled
) STRICT;
CREATE UNIQUE INDEX result_place ON result (place); -- input order, and the guard that no item has two results

CREATE TABLE attempt (           -- those that did not succeed
    key INTEGER PRIMARY KEY,     -- seq << 32 | serial number
    item INTEGER NOT NULL,       -- seq << 32 | index
    number INTEGER NOT NULL,
    failure INTEGER NOT NULL,    -- 1 error 2 crash 3 timeout 4 memory 5 interrupted 6 cancelled 7 too_large 8 protocol
    signal INTEGER NOT NULL,     -- 0 = none
    exit_code INTEGER NOT NULL,  -- -1 = none
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX attempt_item ON attempt (item);

CREATE TABLE output (            -- what items printed
    key INTEGER PRIMARY KEY,     -- seq << 32 | serial number
    item INTEGER NOT NULL,       -- seq << 32 | index
    attempt INTEGER NOT NULL,
    stream INTEGER NOT NULL,     -- 1 stdout 2 stderr
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX output_item ON output (item);

-- One row an item that has a result. Values are the text that the function gave, numbers digit by digit. Cancelled
-- ranges have no lines: two levels of json_each count up instead (a recursive CTE would walk all jobs for one).
CREATE VIEW item_result (job, idx, position, state, value, error) AS
SELECT j.id, (r.place & 0xffffffff) + line.key, (r.key & 0xffffffff) + line.key,
       CASE WHEN line.value -> '$.error' IS NULL THEN 'succeeded'
            WHEN line.value ->> '$.error.type' = 'cancelled' THEN 'cancelled' ELSE 'failed' END,
       line.value -> '$.value', line.value -> '$.error'
FROM job j CROSS JOIN result r ON r.key BETWEEN j.seq << 32 AND (j.seq << 32) + 0xffffffff
CROSS JOIN json_each('[' || replace(rtrim(r.lines, char(10)), char(10), ',') || ']') line
WHERE r.lines IS NOT NULL
UNION ALL
SELECT j.id, (r.place & 0xffffffff) + block.key * 4096 + item.key, (r.key & 0xffffffff) + block.key * 4096 + item.key,
       'cancelled', NULL, '{"type":"cancelled"}'
FROM job j CROSS JOIN result r ON r.key BETWEEN j.seq << 32 AND (j.seq << 32) + 0xffffffff
CROSS JOIN json_each('[0' || replace(hex(zeroblob((r.count - 1) / 4096)), '00', ',0') || ']') block
CROSS JOIN json_each('[0' || replace(hex(zeroblob(min(r.count - 1 - block.key * 4096, 4095))), '00', ',0') || ']') item
WHERE r.lines IS NULL;

CREATE VIEW job_status AS
SELECT id, function, CASE kind WHEN 1 THEN 'map' WHEN 2 THEN 'apply' WHEN 3 THEN 'starmap' END AS kind, name,
       CASE WHEN deleted THEN 'deleted' ELSE CASE state WHEN 1 THEN 'open' WHEN 2 THEN 'ready' WHEN 3 THEN 'running'
           WHEN 4 THEN 'succeeded' WHEN 5 THEN 'failed' WHEN 6 THEN 'cancelled' END END AS state,
       total, total - succeeded - failed - cancelled AS unfinished, succeeded, failed, cancelled,
       datetime(created_ms / 1000, 'unixepoch') AS created,
       iif(started_ms, datetime(started_ms / 1000, 'unixepoch'), NULL) AS started,
       iif(ended_ms, datetime(ended_ms / 1000, 'unixepoch'), NULL) AS ended,
       iif(ended_ms, (ended_ms - started_ms) / 1000.0, NULL) AS seconds,
       iif(expires_ms, datetime(expires_ms / 1000, 'unixepoch'), NULL) AS expires, reason
FROM job;

CREATE VIEW item_attempt (job, idx, number, failure, signal, exit_code, started, ended, message) AS
SELECT j.id, a.item & 0xffffffff, a.number,
       CASE a.failure WHEN 1 THEN 'error' WHEN 2 THEN 'crash' WHEN 3 THEN 'timeout' WHEN 4 THEN 'memory'
           WHEN 5 THEN 'interrupted' WHEN 6 THEN 'cancelled' WHEN 7 THEN 'too_large' WHEN 8 THEN 'protocol' END,
       nullif(a.signal, 0), nullif(a.exit_code, -1), datetime(a.started_ms / 1000, 'unixepoch'),
       datetime(a.ended_ms / 1000, 'unixepoch'), a.message
FROM job j CROSS JOIN attempt a ON a.key BETWEEN j.seq << 32 AND (j.seq << 32) + 0xffffffff;

CREATE VIEW item_output (job, id, idx, attempt, stream, text) AS
SELECT j.id, o.key & 0xffffffff, o.item & 0xffffffff, o.attempt, o.stream, CAST(o.bytes AS TEXT)
FROM job j CROSS JOIN output o ON o.key BETWEEN j.seq << 32 AND (j.seq << 32) + 0xffffffff;
