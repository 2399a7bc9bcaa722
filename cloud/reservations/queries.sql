-- name: claims_known
-- Which of these claims are on record, and with which version.
SELECT id, version, created_at FROM claims WHERE region = %(region)s AND id = ANY (%(ids)s::uuid[])

-- name: claims_take_off
-- Take claims off their spots before their new rows are put on, so that no order of a page's rows can clash with itself.
DELETE FROM claims WHERE region = %(region)s AND id = ANY (%(ids)s::uuid[])

-- name: claims_put_on
-- Put claims on record in their order; the constraint leaves out those whose spot is promised already.
INSERT INTO claims (region, lot_id, id, spot_id, type, during, kind, holder_kind, holder_id, state, sold_by, epoch, revision,
                    version, clashing, created_at)
SELECT %(region)s, %(lot)s, id, spot_id, type, tstzrange(starts_at, coalesce(ends_at, 'infinity')), kind, holder_kind, holder_id,
       state, sold_by, epoch, revision, version, clashing, coalesce(created_at, now())
  FROM unnest(%(id)s::uuid[], %(spot_id)s::uuid[], %(type)s::text[], %(starts_at)s::timestamptz[], %(ends_at)s::timestamptz[],
              %(kind)s::text[], %(holder_kind)s::text[], %(holder_id)s::text[], %(state)s::text[], %(sold_by)s::text[],
              %(epoch)s::int[], %(revision)s::int[], %(version)s::int[], %(clashing)s::boolean[], %(created_at)s::timestamptz[])
       WITH ORDINALITY
       AS row (id, spot_id, type, starts_at, ends_at, kind, holder_kind, holder_id, state, sold_by, epoch, revision, version,
               clashing, created_at, place)
 ORDER BY place
ON CONFLICT DO NOTHING
RETURNING id

-- name: conflicts_record
-- Write down with whom these clashing claims overlap, once for each pair while it lasts.
INSERT INTO conflicts (region, lot_id, kind, claim_id, other_id, spot_id, gateway_id, epoch, detail)
SELECT claim.region, claim.lot_id, 'claims_overlap', claim.id, other.id, claim.spot_id, %(gateway)s, %(epoch)s,
       jsonb_build_object('during', claim.during::text, 'other_during', other.during::text)
  FROM claims AS claim
  JOIN claims AS other
    ON other.region = claim.region AND other.spot_id = claim.spot_id AND other.during && claim.during AND other.id <> claim.id
   AND other.state IN ('held', 'firm') AND NOT other.clashing
 WHERE claim.region = %(region)s AND claim.id = ANY (%(ids)s::uuid[]) AND claim.clashing AND claim.state IN ('held', 'firm')
   AND NOT EXISTS (SELECT FROM conflicts AS known
                    WHERE known.claim_id = claim.id AND known.other_id = other.id AND known.resolved_at IS NULL)
RETURNING claim_id, other_id, spot_id

-- name: claims_clashing
-- The lot's claims that stand outside the constraint, oldest first.
SELECT id FROM claims
 WHERE region = %(region)s AND lot_id = %(lot)s AND clashing AND state IN ('held', 'firm')
 ORDER BY created_at, id

-- name: claim_settle
-- Bring a clashing claim under the constraint again where nothing is in its way any more.
UPDATE claims AS claim SET clashing = false, updated_at = now()
 WHERE claim.region = %(region)s AND claim.id = %(id)s AND claim.clashing
   AND NOT EXISTS (SELECT FROM claims AS other
                    WHERE other.region = claim.region AND other.spot_id = claim.spot_id AND other.during && claim.during
                      AND other.id <> claim.id AND other.state IN ('held', 'firm') AND NOT other.clashing)

-- name: conflicts_settle
-- Close the lot's conflicts whose claims do not clash any more.
UPDATE conflicts AS conflict SET resolved_at = now(), updated_at = now()
 WHERE conflict.lot_id = %(lot)s AND conflict.kind = 'claims_overlap' AND conflict.resolved_at IS NULL
   AND NOT EXISTS (SELECT FROM claims AS claim
                     JOIN claims AS other ON other.region = claim.region AND other.id = conflict.other_id
                      AND other.state IN ('held', 'firm') AND other.spot_id = claim.spot_id AND other.during && claim.during
                    WHERE claim.region = conflict.region AND claim.id = conflict.claim_id AND claim.clashing
                      AND claim.state IN ('held', 'firm'))

-- name: conflicts_report
-- Keep conflicts that the gateway itself has found.
INSERT INTO conflicts (region, lot_id, kind, gateway_id, epoch, detail)
SELECT %(region)s, %(lot)s, 'reported_by_gateway', %(gateway)s, %(epoch)s, detail FROM unnest(%(detail)s::jsonb[]) AS detail

-- name: stays_apply
-- Keep stays as their highest version tells them.
INSERT INTO stays (region, lot_id, gateway_id, epoch, id, credential_kind, credential_subject, type, state, lane, admitted_at,
                   entered_at, left_at, claim_id, over_count, tariff_version, factor_1e4, paid_until, version)
SELECT %(region)s, %(lot)s, %(gateway)s, %(epoch)s, row.*
  FROM unnest(%(id)s::uuid[], %(credential_kind)s::text[], %(credential_subject)s::text[], %(type)s::text[], %(state)s::text[],
              %(lane)s::text[], %(admitted_at)s::timestamptz[], %(entered_at)s::timestamptz[], %(left_at)s::timestamptz[],
              %(claim_id)s::uuid[], %(over_count)s::boolean[], %(tariff_version)s::text[], %(factor_1e4)s::int[],
              %(paid_until)s::timestamptz[], %(version)s::int[]) AS row
ON CONFLICT ON CONSTRAINT stays_pkey DO UPDATE
   SET state = excluded.state, type = excluded.type, lane = excluded.lane, entered_at = excluded.entered_at,
       left_at = excluded.left_at, claim_id = excluded.claim_id, over_count = excluded.over_count,
       paid_until = excluded.paid_until, version = excluded.version, updated_at = now()
 WHERE stays.version < excluded.version

-- name: stays_figures
-- Cars that came and left since an instant, and those inside now, over the lots of gateways.
SELECT (SELECT count(*) FROM stays WHERE lot_id = ANY (%(lots)s::uuid[]) AND admitted_at >= %(since)s AND entered_at >= %(since)s) AS entered,
       (SELECT count(*) FROM stays WHERE lot_id = ANY (%(lots)s::uuid[]) AND left_at >= %(since)s) AS exited,
       (SELECT count(*) FROM stays WHERE lot_id = ANY (%(lots)s::uuid[]) AND state IN ('admitted', 'inside')) AS inside

-- name: occupancy_of_lots
-- Of each lot: cars inside, and places that are blocked now.
SELECT lot.id AS lot_id,
       (SELECT count(*) FROM stays WHERE stays.lot_id = lot.id AND state IN ('admitted', 'inside'))::int AS inside,
       (SELECT count(*) FROM claims WHERE claims.lot_id = lot.id AND claims.state IN ('held', 'firm')
           AND claims.kind IN ('block', 'burn') AND claims.during @> %(now)s::timestamptz)::int AS blocked
  FROM unnest(%(lots)s::uuid[]) AS lot (id)

-- name: stays_longest
-- The cars that have been inside longest.
SELECT id, credential_kind, type, state, lane, admitted_at, over_count, paid_until FROM stays
 WHERE lot_id = %(lot)s AND state IN ('admitted', 'inside') ORDER BY admitted_at, id LIMIT %(limit)s

-- name: conflicts_open
-- Conflicts that nobody has resolved, by lot.
SELECT lot_id, kind, count(*)::int AS count, min(created_at) AS since, extract(epoch FROM now() - min(created_at)) AS age_s
  FROM conflicts WHERE resolved_at IS NULL GROUP BY lot_id, kind ORDER BY since
