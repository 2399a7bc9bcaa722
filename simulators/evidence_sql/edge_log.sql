-- Every row of the gateway's log, as it was stored.
SELECT epoch, seq, previous_hash, hash, kind, body FROM log ORDER BY epoch, seq
