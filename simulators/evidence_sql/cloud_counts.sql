-- Sellable now as the centre shows it.
SELECT type, sum(total)::int AS total, sum(sellable)::int AS sellable
FROM lot_counts_shown WHERE lot_id = %(lot)s GROUP BY type
