-- Every revision of every booking of the lot, as it was decided. What a kiosk sold was paid at its terminal: nothing of it is the provider's.
SELECT id::text AS reservation, revision, state, coalesce(status, '') AS status, reason,
       CASE WHEN user_name = 'kiosk' THEN 0 ELSE coalesce(amount_minor, 0) END AS amount_minor
FROM reservations WHERE lot_id = %(lot)s
