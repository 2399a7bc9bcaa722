-- How far each booking is at the lot.
SELECT reservation, revision, state FROM transactions
