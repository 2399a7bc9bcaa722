-- The newest row of the gateway's log.
SELECT coalesce((SELECT seq FROM log ORDER BY id DESC LIMIT 1), 0) AS seq
