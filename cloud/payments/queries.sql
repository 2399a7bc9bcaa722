-- name: demands_apply
-- Keep demands; one is made once and never changes.
INSERT INTO demands (lot_id, id, stay_id, amount_minor, currency, from_at, to_at, lines, made_at)
SELECT %(lot)s, row.*
  FROM unnest(%(id)s::uuid[], %(stay_id)s::uuid[], %(amount_minor)s::bigint[], %(currency)s::text[], %(from_at)s::timestamptz[],
              %(to_at)s::timestamptz[], %(lines)s::jsonb[], %(made_at)s::timestamptz[]) AS row
ON CONFLICT ON CONSTRAINT demands_pkey DO NOTHING

-- name: payments_apply
-- Keep payments as their highest version tells them.
INSERT INTO payments (lot_id, id, demand_id, amount_minor, currency, status, terminal, reference, changed_at, version)
SELECT %(lot)s, row.*
  FROM unnest(%(id)s::uuid[], %(demand_id)s::uuid[], %(amount_minor)s::bigint[], %(currency)s::text[], %(status)s::text[],
              %(terminal)s::text[], %(reference)s::text[], %(changed_at)s::timestamptz[], %(version)s::int[]) AS row
ON CONFLICT ON CONSTRAINT payments_pkey DO UPDATE
   SET status = excluded.status, reference = excluded.reference, changed_at = excluded.changed_at, version = excluded.version,
       updated_at = now()
 WHERE payments.version < excluded.version

-- name: takings
-- Money taken since an instant, by currency.
SELECT currency, sum(amount_minor)::bigint AS amount_minor, count(*)::int AS count FROM payments
 WHERE lot_id = ANY (%(lots)s::uuid[]) AND status = 'completed' AND changed_at >= %(since)s GROUP BY currency ORDER BY currency

-- name: payment_add
-- A payment over the provider, before the provider is asked; the same one again changes nothing.
INSERT INTO payments (id, lot_id, demand_id, reservation_id, user_id, amount_minor, currency, status, standing, changed_at, version, due_at)
VALUES (%(id)s, %(lot)s, %(demand)s, %(reservation)s, %(user)s, %(amount_minor)s, %(currency)s, 'pending', 'creating', %(at)s, 1,
        now() + make_interval(secs => %(due_s)s))
ON CONFLICT ON CONSTRAINT payments_pkey DO NOTHING

-- name: payment_read
-- One payment over the provider.
SELECT id, lot_id, demand_id, reservation_id, amount_minor, currency, standing, stripe_payment_intent_id, create_attempt, captured_minor,
       lapses_at, refusal, unanswered, version, status
  FROM payments WHERE id = %(id)s AND standing IS NOT NULL

-- name: payment_lock
-- The same, held until the transaction ends.
SELECT id, lot_id, demand_id, reservation_id, amount_minor, currency, standing, stripe_payment_intent_id, create_attempt, captured_minor,
       lapses_at, refusal, unanswered, version, status
  FROM payments WHERE id = %(id)s AND standing IS NOT NULL FOR UPDATE

-- name: payment_write
-- How it stands now; due_s null: nobody needs to look by himself.
UPDATE payments
   SET standing = %(standing)s, status = %(status)s, stripe_payment_intent_id = %(intent)s, create_attempt = %(attempt)s,
       captured_minor = %(captured_minor)s, lapses_at = %(lapses_at)s, refusal = %(refusal)s, unanswered = %(unanswered)s,
       version = %(version)s, changed_at = %(at)s, due_at = now() + make_interval(secs => %(due_s)s), updated_at = now()
 WHERE id = %(id)s

-- name: payments_take_due
-- Payments at which somebody should look, for the caller alone for a while.
UPDATE payments SET due_at = now() + make_interval(secs => %(lease_s)s)
 WHERE id IN (SELECT id FROM payments WHERE due_at <= now() ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id

-- name: payment_is_ours
-- Whether this intent belongs to a payment of ours, or is the one that a payment waits for.
SELECT id FROM payments
 WHERE standing IS NOT NULL AND (stripe_payment_intent_id = %(intent)s OR (stripe_payment_intent_id IS NULL AND id = %(payment)s))

-- name: payment_make_due
-- The provider told of this intent: look at once. Rows that are not ours stay as they are.
UPDATE payments SET due_at = now()
 WHERE standing IS NOT NULL AND (stripe_payment_intent_id = %(intent)s OR (stripe_payment_intent_id IS NULL AND id = %(payment)s))

-- name: refunds_read
-- A payment's refunds.
SELECT id, payment_id, amount_minor, state, reason, stripe_refund_id FROM refunds WHERE payment_id = %(payment)s ORDER BY created_at, id

-- name: refund_write
-- A refund, new or as it is now. The payment's row is held.
INSERT INTO refunds (id, payment_id, amount_minor, state, reason, stripe_refund_id)
VALUES (%(id)s, %(payment)s, %(amount_minor)s, %(state)s, %(reason)s, %(provider_id)s)
ON CONFLICT ON CONSTRAINT refunds_pkey DO UPDATE
   SET state = excluded.state, reason = excluded.reason, stripe_refund_id = excluded.stripe_refund_id, updated_at = now()

-- name: receivable_add
-- The place was kept and the money did not come.
INSERT INTO receivables (payment_id, amount_minor, currency, reason) VALUES (%(payment)s, %(amount_minor)s, %(currency)s, %(reason)s)
ON CONFLICT ON CONSTRAINT receivables_pkey DO NOTHING

-- name: receivable_settle
-- It came after all, or is not owed any more.
UPDATE receivables SET settled_at = now(), updated_at = now() WHERE payment_id = %(payment)s AND settled_at IS NULL

-- name: payment_event_add
-- A webhook of the provider, once; no row: it was here before.
INSERT INTO payment_events (id, kind, intent_id, outcome, made_at)
VALUES (%(id)s, %(kind)s, %(intent)s, %(outcome)s, %(made_at)s)
ON CONFLICT ON CONSTRAINT payment_events_pkey DO NOTHING RETURNING id

-- name: payment_events_forget
-- Drop events older than the provider ever repeats.
DELETE FROM payment_events WHERE created_at < now() - make_interval(days => %(days)s)
