-- The newest row of the gateway's log.
SELECT coalesce(max(seq), 0) AS seq FROM log
