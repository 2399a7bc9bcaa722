-- How many clashes the gateway has on record.
SELECT count(*) AS n FROM conflicts
