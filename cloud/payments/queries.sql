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
