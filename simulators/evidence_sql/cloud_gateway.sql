-- How far the gateway's log is applied, and how many clashes there are.
SELECT id, acknowledged_seq, backlog, session, state,
       (SELECT count(*)::int FROM conflicts WHERE conflicts.lot_id = gateways.lot_id) AS conflicts
FROM gateways WHERE lot_id = %(lot)s ORDER BY epoch DESC LIMIT 1
