-- name: migration_lock
-- Whoever migrates holds this until its transaction ends.
SELECT pg_advisory_xact_lock(:key)

-- name: has_revision
-- Whether this database was ever migrated.
SELECT to_regclass('alembic_version') IS NOT NULL AS present

-- name: revision
-- The schema's revision.
SELECT version_num FROM alembic_version

-- name: event_publish
-- Write events down in their order, in the transaction of what they tell.
INSERT INTO event_outbox (lot_id, kind, body)
SELECT lot_id, kind, body
  FROM unnest(%(lot)s::uuid[], %(kind)s::text[], %(body)s::jsonb[]) WITH ORDINALITY AS row (lot_id, kind, body, place)
 ORDER BY place

-- name: events_listen
-- Be told of every commit that wrote events.
LISTEN lotgate_events

-- name: events_newest
-- How far the events of each lot are.
SELECT lot_id, max(n) AS n FROM event_outbox GROUP BY lot_id

-- name: events_newest_of
-- How far the events of these lots are.
SELECT lot.id AS lot_id, (SELECT max(n) FROM event_outbox WHERE lot_id = lot.id) AS n FROM unnest(%(lots)s::uuid[]) AS lot (id)
 WHERE EXISTS (SELECT FROM event_outbox WHERE lot_id = lot.id)

-- name: still_picture
-- Everything that this transaction reads is of one instant.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: events_after
-- A lot's events after number n, in order.
SELECT n, lot_id, kind, body, created_at FROM event_outbox WHERE lot_id = %(lot)s AND n > %(n)s ORDER BY n LIMIT %(limit)s

-- name: events_forget
-- Drop events that nobody can resume from any more.
DELETE FROM event_outbox WHERE created_at < now() - make_interval(days => %(days)s)

-- name: audit
-- Write down who did what to what, and why.
INSERT INTO audit_log (actor, action, subject, reason) VALUES (%(actor)s, %(action)s, %(subject)s, %(reason)s)

-- name: figures
-- Figures of the whole centre, for /metrics.
SELECT (SELECT count(*) FROM conflicts WHERE resolved_at IS NULL) AS conflicts_open,
       (SELECT coalesce(sum(unexplained), 0) FROM gateways WHERE state <> 'replaced') AS unexplained,
       (SELECT count(*) FROM claims WHERE kind = 'booking' AND state IN ('held', 'firm')) AS active_reservations

-- name: real_now
-- The real instant, as the database's clock has it.
SELECT now() AS now
