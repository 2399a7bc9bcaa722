-- The newest row of the log that the gateway knows to be applied at the centre.
SELECT coalesce(max(seq), 0) AS seq FROM acknowledgements WHERE epoch = (SELECT max(epoch) FROM acknowledgements)
