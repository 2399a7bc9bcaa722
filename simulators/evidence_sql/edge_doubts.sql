-- Bookings whose decision the lot does not know.
SELECT count(*) AS n FROM transactions WHERE state = 'prep'
