-- poold, schema 3: where a job came from. '' is none, as of all jobs that are there already.

ALTER TABLE job ADD COLUMN client TEXT NOT NULL DEFAULT '';      -- name of the token that it was submitted with
ALTER TABLE job ADD COLUMN traceparent TEXT NOT NULL DEFAULT ''; -- W3C Trace Context, of the client's span

DROP VIEW job_status;
CREATE VIEW job_status AS
SELECT id, function, CASE kind WHEN 1 THEN 'map' WHEN 2 THEN 'apply' WHEN 3 THEN 'starmap' END AS kind, name,
       CASE WHEN deleted THEN 'deleted' ELSE CASE state WHEN 1 THEN 'open' WHEN 2 THEN 'ready' WHEN 3 THEN 'running'
           WHEN 4 THEN 'succeeded' WHEN 5 THEN 'failed' WHEN 6 THEN 'cancelled' END END AS state,
       total, total - succeeded - failed - cancelled AS unfinished, succeeded, failed, cancelled,
       datetime(created_ms / 1000, 'unixepoch') AS created,
       iif(started_ms, datetime(started_ms / 1000, 'unixepoch'), NULL) AS started,
       iif(ended_ms, datetime(ended_ms / 1000, 'unixepoch'), NULL) AS ended,
       iif(ended_ms, (ended_ms - started_ms) / 1000.0, NULL) AS seconds,
       iif(expires_ms, datetime(expires_ms / 1000, 'unixepoch'), NULL) AS expires, reason, client, traceparent
FROM job;
