-- How many stays are in each state, as the centre has them.
SELECT state, count(*)::int AS n FROM stays WHERE lot_id = %(lot)s GROUP BY state
