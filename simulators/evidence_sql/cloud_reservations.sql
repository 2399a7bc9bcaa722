-- Every revision of every booking of the lot, as it was decided.
SELECT id::text AS reservation, revision, state, coalesce(status, '') AS status, reason, coalesce(amount_minor, 0) AS amount_minor
FROM reservations WHERE lot_id = %(lot)s
