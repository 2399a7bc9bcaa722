-- Every row that the centre has taken from this lot's gateways.
SELECT inbox.epoch, inbox.seq, inbox.hash, inbox.body, inbox.kind, inbox.outcome
FROM gateway_inbox AS inbox INNER JOIN gateways ON gateways.id = inbox.gateway_id
WHERE gateways.lot_id = %(lot)s
ORDER BY inbox.epoch, inbox.seq
