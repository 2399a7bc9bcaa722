-- How many stays are in each state, as the gateway has them.
SELECT state, count(*) AS n FROM stays GROUP BY state
