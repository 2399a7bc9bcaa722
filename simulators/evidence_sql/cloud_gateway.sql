-- How far the gateway's log is applied.
SELECT id, acknowledged_seq, backlog, session, state FROM gateways WHERE lot_id = %(lot)s ORDER BY epoch DESC LIMIT 1
