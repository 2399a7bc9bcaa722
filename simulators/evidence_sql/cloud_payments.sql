-- What the centre believes of the money of bookings: the provider's id of it, how it stands, what is owed instead.
SELECT payments.id::text AS payment, payments.reservation_id::text AS reservation, payments.stripe_payment_intent_id AS intent,
       payments.standing, receivables.payment_id IS NOT NULL AS receivable
FROM payments
INNER JOIN reservations ON reservations.id = payments.reservation_id AND reservations.revision = 1
LEFT JOIN receivables ON receivables.payment_id = payments.id
WHERE reservations.lot_id = %(lot)s
