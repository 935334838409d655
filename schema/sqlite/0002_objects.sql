-- poold, schema 2: shared objects (server/objects). The one whose name begins with a slash is the ledger of numbers that
-- are given once.
--
-- What an entry's key and value are is its kind's business: entries come back in the order of their keys (memcmp).

CREATE TABLE object (
    id INTEGER PRIMARY KEY,      -- never given again, so that entries of a dropped object are nobody else's
    kind INTEGER NOT NULL,       -- 1 queue 2 pipe 3 lock 4 dict 5 list 6 value 7 array
    name TEXT,                   -- NULL: dropped, its entries are being removed
    config TEXT NOT NULL,        -- JSON
    UNIQUE (kind, name)
) STRICT;
CREATE INDEX object_dropped ON object (id) WHERE name IS NULL;

CREATE TABLE entry (
    object INTEGER NOT NULL,     -- object.id
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (object, key)
) STRICT, WITHOUT ROWID;

CREATE VIEW object_status (kind, name, config, entries, bytes) AS
SELECT CASE o.kind WHEN 1 THEN 'queue' WHEN 2 THEN 'pipe' WHEN 3 THEN 'lock' WHEN 4 THEN 'dict' WHEN 5 THEN 'list'
           WHEN 6 THEN 'value' WHEN 7 THEN 'array' ELSE o.kind END,
       o.name, o.config, (SELECT count(*) FROM entry e WHERE e.object = o.id),
       (SELECT coalesce(sum(length(e.key) + length(e.value)), 0) FROM entry e WHERE e.object = o.id)
FROM object o WHERE o.name NOT LIKE '/%';

-- Keys that are no text are shown in hexadecimal digits.
CREATE VIEW object_entry (kind, name, key, value) AS
SELECT CASE o.kind WHEN 1 THEN 'queue' WHEN 2 THEN 'pipe' WHEN 3 THEN 'lock' WHEN 4 THEN 'dict' WHEN 5 THEN 'list'
           WHEN 6 THEN 'value' WHEN 7 THEN 'array' ELSE o.kind END,
       o.name, CASE WHEN o.kind = 4 THEN CAST(e.key AS TEXT) ELSE hex(e.key) END, CAST(e.value AS TEXT)
FROM object o CROSS JOIN entry e ON e.object = o.id WHERE o.name NOT LIKE '/%';
