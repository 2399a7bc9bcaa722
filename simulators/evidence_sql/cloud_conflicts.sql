-- Clashes on record at the centre.
SELECT count(*)::int AS n FROM conflicts WHERE lot_id = %(lot)s
