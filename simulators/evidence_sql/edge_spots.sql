-- How many spots of each type are painted.
SELECT type, count(*) AS n FROM spots GROUP BY type
