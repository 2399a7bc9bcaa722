-- Every claim that is not released, as the centre has it.
SELECT id::text, spot_id::text AS spot, lower(during) AS starts_at, upper(during) AS ends_at, clashing
FROM claims WHERE lot_id = %(lot)s AND state IN ('held', 'firm')
