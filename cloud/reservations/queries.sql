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

-- name: transactions_open
-- Bookings that are not settled between centre and lot, by how far they are, with the age of the oldest.
SELECT CASE WHEN state IN ('draft', 'preparing') THEN state ELSE 'untold' END AS state, count(*)::int AS count,
       extract(epoch FROM protocol_now() - min(updated_at)) AS age_s
  FROM reservations WHERE state IN ('draft', 'preparing') OR untold GROUP BY 1

-- name: transactions_of_lot
-- A lot's bookings that are being decided, or whose decision the lot has not acknowledged, the oldest first.
SELECT id, revision, type, starts_at, ends_at, state, extract(epoch FROM protocol_now() - updated_at) AS age_s
  FROM reservations WHERE lot_id = %(lot)s AND (state = 'preparing' OR untold) ORDER BY updated_at, id LIMIT %(limit)s

-- name: doubts_overdue
-- Lots with bookings whose decision has been on its way for longer than anybody should wait.
SELECT lot_id, count(*)::int AS count, extract(epoch FROM protocol_now() - min(updated_at)) AS age_s
  FROM reservations WHERE untold AND lot_id IS NOT NULL AND updated_at < protocol_now() - make_interval(secs => %(after_s)s)
 GROUP BY lot_id ORDER BY 3 DESC

-- name: protocol_now
-- The database's clock, by which deadlines and leases are judged.
SELECT protocol_now() AS now

-- name: booking_latest
-- A reservation's newest revision.
SELECT * FROM reservations WHERE id = %(id)s::uuid ORDER BY revision DESC LIMIT 1

-- name: booking_standing
-- What a reservation is: its newest committed revision, else its newest.
SELECT * FROM reservations WHERE id = %(id)s::uuid ORDER BY state = 'committed' DESC, revision DESC LIMIT 1

-- name: booking_hold
-- One revision of a reservation, held until the transaction ends.
SELECT * FROM reservations WHERE id = %(id)s::uuid AND revision = %(revision)s FOR UPDATE

-- name: bookings_preparing
-- The lot's transactions that wait for its vote, held in a fixed order.
SELECT * FROM reservations WHERE lot_id = %(lot)s AND state = 'preparing' ORDER BY id, revision FOR UPDATE

-- name: bookings_untold
-- Decisions up to document n that the lot has not acknowledged, held in a fixed order.
SELECT * FROM reservations WHERE lot_id = %(lot)s AND untold AND told_n <= %(n)s ORDER BY id, revision FOR UPDATE

-- name: bookings_due
-- Undecided transactions past their deadline, and those whose worker has let its lease run out.
SELECT id, revision FROM reservations
 WHERE state IN ('draft', 'preparing')
   AND (deadline_at <= protocol_now() OR (state = 'preparing' AND lease_until <= protocol_now()))
 ORDER BY deadline_at LIMIT %(limit)s

-- name: bookings_of_user
-- A page of a user's reservations, each in its newest committed revision, or its newest where none is, newest first.
SELECT * FROM reservations AS booking
 WHERE user_name = %(user)s
   AND NOT EXISTS (SELECT FROM reservations AS newer
                    WHERE newer.id = booking.id
                      AND (newer.state = 'committed', newer.revision) > (booking.state = 'committed', booking.revision))
 ORDER BY created_at DESC, id LIMIT %(limit)s OFFSET %(offset)s

-- name: bookings_of_user_total
-- How many those are.
SELECT count(DISTINCT id) AS total FROM reservations WHERE user_name = %(user)s

-- name: booking_add
-- A new revision; no row where it is there already.
INSERT INTO reservations (id, revision, lot_id, user_name, type, spot_id, starts_at, ends_at, guarantee, state, status, reason,
                          deadline_at, lease_holder, lease_token, lease_until, ballots, own_claims, untold, told_n, link_session,
                          superseded, quote, amount_minor, currency, payment_id, request_hash, booked_from, booked_until, cuts, cut_n,
                          give_back_minor)
VALUES (%(id)s, %(revision)s, %(lot)s, %(user)s, %(type)s, %(spot)s, %(starts_at)s, %(ends_at)s, %(guarantee)s, %(state)s, %(status)s,
        %(reason)s, %(deadline_at)s, %(lease_holder)s, %(lease_token)s, %(lease_until)s, %(ballots)s, %(own_claims)s, %(untold)s,
        %(told_n)s, %(link_session)s, %(superseded)s, %(quote)s, %(amount_minor)s, %(currency)s, %(payment)s, %(request_hash)s, %(booked_from)s,
        %(booked_until)s, %(cuts)s, %(cut_n)s, %(give_back_minor)s)
ON CONFLICT ON CONSTRAINT reservations_pkey DO NOTHING
RETURNING id

-- name: booking_write
-- The row as it is now, where it is still what it was; from preparing to committed only before the deadline.
UPDATE reservations
   SET lot_id = %(lot)s, state = %(state)s, status = %(status)s, reason = %(reason)s, deadline_at = %(deadline_at)s,
       lease_holder = %(lease_holder)s, lease_token = %(lease_token)s, lease_until = %(lease_until)s, ballots = %(ballots)s,
       own_claims = %(own_claims)s, untold = %(untold)s, told_n = %(told_n)s, link_session = %(link_session)s,
       superseded = %(superseded)s, payment_id = %(payment)s, cut_n = %(cut_n)s, updated_at = now()
 WHERE id = %(id)s AND revision = %(revision)s AND state = %(was)s
   AND (%(was)s <> 'preparing' OR %(state)s <> 'committed' OR protocol_now() < deadline_at)
RETURNING id

-- name: booking_before
-- The committed revision of a reservation that stands before a newer one is.
SELECT * FROM reservations WHERE id = %(id)s AND revision < %(revision)s AND state = 'committed' ORDER BY revision DESC LIMIT 1

-- name: bookings_before_settle
-- A newer revision is committed and speaks for these from now on.
UPDATE reservations SET status = NULL, updated_at = now()
 WHERE id = %(id)s AND revision < %(revision)s AND state = 'committed' AND status IS NOT NULL

-- name: payments_of_booking
-- What was paid for a booking, the newest part first.
SELECT payment_id FROM reservations
 WHERE id = %(id)s AND state = 'committed' AND payment_id IS NOT NULL ORDER BY revision DESC

-- name: bookings_giving_back
-- Cheaper revisions whose difference has not gone back yet.
SELECT * FROM reservations WHERE give_back_minor > 0 AND state = 'committed' ORDER BY updated_at LIMIT %(limit)s

-- name: booking_gave_back
-- So much less is to be given back.
UPDATE reservations SET give_back_minor = greatest(0, give_back_minor - %(amount_minor)s), updated_at = now()
 WHERE id = %(id)s AND revision = %(revision)s

-- name: booking_at_risk
-- The lot says that a booking may not be kept, and why; null: that it is kept after all.
UPDATE reservations AS booking SET at_risk = %(reason)s::text, risk_told = false, updated_at = now()
 WHERE id = %(id)s AND lot_id = %(lot)s AND state = 'committed' AND status IN ('active', 'in_use')
   AND at_risk IS DISTINCT FROM %(reason)s::text
RETURNING id

-- name: bookings_in_trouble
-- Bookings that begin soon: at risk where no claim of theirs stands under the constraint, and no more at risk where one does again.
UPDATE reservations AS booking SET at_risk = CASE WHEN kept.is_kept THEN NULL ELSE %(reason)s::text END, risk_told = false, updated_at = now()
  FROM (SELECT soon.id, soon.revision,
               EXISTS (SELECT FROM claims AS claim
                        WHERE claim.lot_id = soon.lot_id AND claim.holder_kind = 'reservation' AND claim.holder_id = soon.id::text
                          AND claim.state = 'firm' AND NOT claim.clashing
                          AND claim.during @> coalesce(soon.booked_from, soon.starts_at)) AS is_kept
          FROM reservations AS soon
         WHERE soon.status = 'active' AND soon.state = 'committed' AND (soon.at_risk IS NULL OR soon.at_risk = %(reason)s::text)
           AND coalesce(soon.booked_from, soon.starts_at) BETWEEN %(now)s AND %(until)s
           AND (soon.starts_at BETWEEN %(now)s AND %(until)s
                OR (soon.booked_from IS NOT NULL AND soon.booked_from BETWEEN %(now)s AND %(until)s))) AS kept
 WHERE booking.id = kept.id AND booking.revision = kept.revision AND kept.is_kept = (booking.at_risk IS NOT NULL)
RETURNING booking.id, booking.at_risk

-- name: bookings_risk_untold
-- Bookings at risk whose drivers were not told.
SELECT * FROM reservations WHERE at_risk IS NOT NULL AND NOT risk_told ORDER BY updated_at LIMIT %(limit)s

-- name: booking_risk_tell
-- Its driver is told now; no row: somebody else did, or it is kept again.
UPDATE reservations SET risk_told = true, updated_at = now()
 WHERE id = %(id)s AND revision = %(revision)s AND at_risk IS NOT NULL AND NOT risk_told
RETURNING id

-- name: lock_within
-- In this transaction nobody waits longer than this for a lock.
SELECT set_config('lock_timeout', %(ms)s, true)

-- name: lot_hold
-- Whoever changes promises of a lot holds its row until the transaction ends.
SELECT region FROM parking_lots WHERE id = %(lot)s FOR NO KEY UPDATE

-- name: own_spot_take
-- Take a place of the cloud's own for a window with its turnover time, in one statement; no row: there is none left.
-- Spots that carry this booking's other window come first, then those that carry any, so that the others stay free to change hands.
-- Between two windows of one booking no turnover time is kept.
INSERT INTO claims (region, lot_id, id, spot_id, type, during, kind, holder_kind, holder_id, state, sold_by, epoch, revision, version)
SELECT lot.region, lot.id, %(claim)s, chosen.id, %(type)s, tstzrange(%(starts_at)s, %(ends_at)s), 'booking', 'reservation',
       %(holder)s, 'held', 'cloud', %(epoch)s, %(revision)s, 1
  FROM parking_lots AS lot
  CROSS JOIN LATERAL (
       SELECT spot.id FROM parking_spots AS spot
        WHERE spot.region = lot.region AND spot.lot_id = lot.id AND spot.owner = 'cloud' AND spot.type = %(type)s
          AND (%(spot)s::uuid IS NULL OR spot.id = %(spot)s)
          AND NOT EXISTS (
              SELECT FROM claims AS taken
               WHERE taken.region = lot.region AND taken.spot_id = spot.id AND taken.state IN ('held', 'firm')
                 AND taken.during && tstzrange(
                     greatest(%(starts_at)s::timestamptz - make_interval(secs => (lot.policy ->> 'turnover_buffer_s')::int),
                              least(%(now)s::timestamptz, %(starts_at)s::timestamptz)),
                     %(ends_at)s::timestamptz + make_interval(secs => (lot.policy ->> 'turnover_buffer_s')::int))
                 AND (taken.holder_id <> %(holder)s OR taken.during && tstzrange(%(starts_at)s, %(ends_at)s)))
        ORDER BY EXISTS (SELECT FROM claims AS same
                          WHERE same.region = lot.region AND same.spot_id = spot.id AND same.state IN ('held', 'firm')
                            AND same.holder_id = %(holder)s) DESC,
                 EXISTS (SELECT FROM claims AS other
                          WHERE other.region = lot.region AND other.spot_id = spot.id AND other.state IN ('held', 'firm')) DESC,
                 spot.ordinal
        LIMIT 1) AS chosen
 WHERE lot.region = %(region)s AND lot.id = %(lot)s
ON CONFLICT DO NOTHING
RETURNING spot_id

-- name: hold_stands
-- Whether a draft's hold is on a place that is the cloud's own.
SELECT claim.id FROM claims AS claim
  JOIN parking_spots AS spot ON spot.region = claim.region AND spot.id = claim.spot_id AND spot.owner = 'cloud'
 WHERE claim.region = %(region)s AND claim.id = %(id)s AND claim.state = 'held'

-- name: holds_give_back
-- Drafts past the time of their hold, and those that are named, hold no place of the cloud's own any more; a draft that is just being begun is left alone.
WITH due AS (
    SELECT id, revision FROM reservations
     WHERE state = 'draft' AND own_claims <> '[]'
       AND (created_at <= protocol_now() - make_interval(secs => %(holds_s)s) OR id::text = ANY (%(ids)s::text[]))
       FOR UPDATE SKIP LOCKED
), without AS (
    UPDATE reservations AS draft SET own_claims = '[]', updated_at = now()
      FROM due WHERE draft.id = due.id AND draft.revision = due.revision
    RETURNING draft.id
)
UPDATE claims AS claim SET state = 'released', version = claim.version + 1, updated_at = now()
  FROM without
 WHERE claim.holder_kind = 'reservation' AND claim.holder_id = without.id::text AND claim.state = 'held' AND claim.sold_by = 'cloud'
RETURNING claim.region, claim.lot_id

-- name: own_spots_left
-- How many places of a type the cloud may sell in a lot at all, and how many of them are free for a window with its turnover time.
SELECT count(*)::int AS total,
       count(*) FILTER (WHERE NOT EXISTS (
           SELECT FROM claims AS taken
            WHERE taken.region = lot.region AND taken.spot_id = spot.id AND taken.state IN ('held', 'firm')
              AND taken.during && tstzrange(
                  greatest(%(starts_at)s::timestamptz - make_interval(secs => (lot.policy ->> 'turnover_buffer_s')::int),
                           least(%(now)s::timestamptz, %(starts_at)s::timestamptz)),
                  %(ends_at)s::timestamptz + make_interval(secs => (lot.policy ->> 'turnover_buffer_s')::int))
              AND (taken.holder_id <> %(holder)s OR taken.during && tstzrange(%(starts_at)s, %(ends_at)s))))::int AS free
  FROM parking_lots AS lot
  JOIN parking_spots AS spot ON spot.region = lot.region AND spot.lot_id = lot.id AND spot.owner = 'cloud' AND spot.type = %(type)s
 WHERE lot.id = %(lot)s AND (%(spot)s::uuid IS NULL OR spot.id = %(spot)s)

-- name: sellable_in_window
-- What these lots may sell of each type over a window with its turnover time (parking/sellable.py has the formula in words): of the lot's own
-- spots what the count allows, where it can be asked; of the cloud's own those that are free.
WITH lot AS (
    SELECT lot.region, lot.id, asked.up, lot.policy -> 'spare_spots' AS spare,
           greatest(%(starts_at)s::timestamptz - make_interval(secs => (lot.policy ->> 'turnover_buffer_s')::int),
                    least(%(now)s::timestamptz, %(starts_at)s::timestamptz)) AS starts_at,
           %(ends_at)s::timestamptz + make_interval(secs => (lot.policy ->> 'turnover_buffer_s')::int) AS ends_at
      FROM unnest(%(lots)s::uuid[], %(asked)s::boolean[]) AS asked (id, up)
      JOIN parking_lots AS lot ON lot.id = asked.id AND lot.layout_hash IS NOT NULL
), spot AS (
    SELECT lot.id AS lot_id, spot.id, spot.type, spot.owner,
           EXISTS (SELECT FROM claims AS taken
                    WHERE taken.region = lot.region AND taken.spot_id = spot.id AND taken.state IN ('held', 'firm')
                      AND taken.during && tstzrange(lot.starts_at, lot.ends_at)) AS is_taken
      FROM lot JOIN parking_spots AS spot ON spot.region = lot.region AND spot.lot_id = lot.id
     WHERE spot.owner = 'cloud' OR (spot.owner = 'edge' AND lot.up)
), running AS (
    SELECT lot.id AS lot_id, coalesce(spot.type, claim.type) AS type, greatest(lower(claim.during), lot.starts_at) AS starts_at,
           upper(claim.during) AS ends_at
      FROM lot
      JOIN claims AS claim ON claim.region = lot.region AND claim.lot_id = lot.id AND claim.state IN ('held', 'firm')
       AND claim.during && tstzrange(lot.starts_at, lot.ends_at)
      LEFT JOIN parking_spots AS spot ON spot.region = claim.region AND spot.id = claim.spot_id
     WHERE lot.up AND coalesce(spot.owner, 'edge') <> 'cloud'
), steps AS (
    SELECT lot_id, type, starts_at AS at, 1 AS step FROM running UNION ALL SELECT lot_id, type, ends_at, -1 FROM running
), depths AS (
    SELECT lot_id, type, sum(step) OVER (PARTITION BY lot_id, type ORDER BY at, step ROWS UNBOUNDED PRECEDING) AS depth FROM steps
), deepest AS (
    SELECT lot_id, type, max(depth)::int AS depth FROM depths GROUP BY lot_id, type
), claimless AS (
    SELECT stays.lot_id, stays.type, count(*)::int AS count FROM lot JOIN stays ON stays.lot_id = lot.id
     WHERE stays.state IN ('admitted', 'inside') AND stays.claim_id IS NULL GROUP BY stays.lot_id, stays.type
)
SELECT spot.lot_id, spot.type,
       (greatest(0, count(*) FILTER (WHERE spot.owner = 'edge') - coalesce(min(deepest.depth), 0)
           - coalesce(min((lot.spare ->> spot.type)::int), 0) - coalesce(min(claimless.count), 0))
        + count(*) FILTER (WHERE spot.owner = 'cloud' AND NOT spot.is_taken))::int AS sellable
  FROM spot
  JOIN lot ON lot.id = spot.lot_id
  LEFT JOIN deepest ON deepest.lot_id = spot.lot_id AND deepest.type = spot.type
  LEFT JOIN claimless ON claimless.lot_id = spot.lot_id AND claimless.type = spot.type
 GROUP BY spot.lot_id, spot.type

-- name: claim_make_firm
-- The claim as the decision makes it; a row of the same id and a lower version gives way.
INSERT INTO claims (region, lot_id, id, spot_id, type, during, kind, holder_kind, holder_id, state, sold_by, epoch, revision, version)
VALUES (%(region)s, %(lot)s, %(id)s, %(spot_id)s, %(type)s, tstzrange(%(starts_at)s, coalesce(%(ends_at)s::timestamptz, 'infinity')), %(kind)s,
        %(holder_kind)s, %(holder_id)s, 'firm', %(sold_by)s, %(epoch)s, %(revision)s, %(version)s)
ON CONFLICT ON CONSTRAINT claims_pkey DO UPDATE
   SET state = excluded.state, version = excluded.version, spot_id = excluded.spot_id, updated_at = now()
 WHERE claims.version < excluded.version

-- name: claim_release
-- A claim of our own is released.
UPDATE claims SET state = 'released', version = %(version)s, updated_at = now()
 WHERE region = %(region)s AND id = %(id)s AND state <> 'released'

-- name: spot_asked_for
-- A painted spot that a driver asks for, and whether its zone promises spots.
SELECT spot.id, spot.type, spot.owner, zone.kind AS zone_kind
  FROM parking_spots AS spot JOIN zones AS zone ON zone.lot_id = spot.lot_id AND zone.id = spot.zone_id
 WHERE spot.lot_id = %(lot)s AND spot.id = %(spot)s

-- name: conflict_of_booking
-- Something about a decided booking that a person must look at.
INSERT INTO conflicts (region, lot_id, kind, detail) VALUES (%(region)s, %(lot)s, %(kind)s, %(detail)s)

-- name: undecided_in_the_way
-- Reservations that hold, undecided, a place of the cloud's own that one of these claims takes.
SELECT DISTINCT held.holder_id
  FROM claims AS held
  JOIN unnest(%(spot_id)s::uuid[], %(starts_at)s::timestamptz[], %(ends_at)s::timestamptz[]) AS fact (spot_id, starts_at, ends_at)
    ON held.spot_id = fact.spot_id AND held.during && tstzrange(fact.starts_at, coalesce(fact.ends_at, 'infinity'))
 WHERE held.region = %(region)s AND held.state = 'held' AND held.holder_kind = 'reservation'

-- name: bookings_told
-- The newest revisions of these reservations that a lot's log tells of, held in a fixed order.
SELECT * FROM reservations AS booking
 WHERE lot_id = %(lot)s AND id = ANY (%(ids)s::uuid[]) AND state = 'committed'
   AND NOT EXISTS (SELECT FROM reservations AS newer
                    WHERE newer.id = booking.id AND newer.revision > booking.revision AND newer.state = 'committed')
 ORDER BY id FOR UPDATE

-- name: bookings_ended
-- Bookings whose window the lot's applied log has passed, held in a fixed order.
SELECT * FROM reservations
 WHERE lot_id = %(lot)s AND status IN ('active', 'cancel_pending') AND coalesce(booked_until, ends_at) <= %(until)s ORDER BY id, revision LIMIT 200 FOR UPDATE

-- name: holders_of_claims
-- For whom these claims are, where that is a reservation.
SELECT id, holder_id FROM claims
 WHERE region = %(region)s AND id = ANY (%(ids)s::uuid[]) AND holder_kind = 'reservation'

-- name: holders_that_hold
-- Which of these reservations still have a claim.
SELECT DISTINCT holder_id FROM claims
 WHERE region = %(region)s AND lot_id = %(lot)s AND holder_kind = 'reservation' AND holder_id = ANY (%(holders)s::text[])
   AND state IN ('held', 'firm')

-- name: booking_status
-- The customer's word of a booking.
UPDATE reservations SET status = %(status)s, updated_at = now() WHERE id = %(id)s AND revision = %(revision)s

-- name: tell_processes
-- Tell every process of the centre at this transaction's commit.
SELECT pg_notify('lotgate_commit', %(word)s)

-- name: process_lives
-- Held as long as this connection is: this process lives and listens.
SELECT pg_advisory_lock_shared(%(key)s)

-- name: processes_listen
-- Be told what other processes say at their commits.
LISTEN lotgate_commit

-- name: spots_to_give
-- The cloud's own spots of a type that nothing is promised of, those that would be sold last first.
SELECT spot.id FROM parking_spots AS spot
 WHERE spot.region = %(region)s AND spot.lot_id = %(lot)s AND spot.owner = 'cloud' AND spot.type = %(type)s
   AND NOT EXISTS (SELECT FROM claims AS taken
                    WHERE taken.region = spot.region AND taken.spot_id = spot.id AND taken.state IN ('held', 'firm')
                      AND (upper(taken.during) > %(passed)s::timestamptz OR %(passed)s::timestamptz IS NULL
                           OR EXISTS (SELECT FROM stays WHERE stays.claim_id = taken.id AND stays.state IN ('admitted', 'inside'))))
 ORDER BY spot.ordinal DESC LIMIT %(limit)s

-- name: log_has_passed
-- The latest civil instant that the newest rows of a gateway's applied log tell: what ended before it, and goes on, has been told to go on.
SELECT max(occurred_at) AS passed
  FROM (SELECT occurred_at FROM gateway_inbox WHERE gateway_id = %(gateway)s AND epoch = %(epoch)s ORDER BY seq DESC LIMIT 20) AS newest

-- name: owner_set
-- Spots change hands, those that belong to whom they should; answers with them.
UPDATE parking_spots SET owner = %(owner)s, transfer_id = %(in_transfer)s, updated_at = now()
 WHERE region = %(region)s AND lot_id = %(lot)s AND id = ANY (%(spots)s::uuid[])
   AND owner = %(was)s AND transfer_id IS NOT DISTINCT FROM %(was_in)s::uuid
RETURNING id

-- name: spots_here
-- Which of these spots the lot has.
SELECT id FROM parking_spots WHERE region = %(region)s AND lot_id = %(lot)s AND id = ANY (%(spots)s::uuid[])

-- name: transfer_put
-- How far a transfer is.
INSERT INTO transfers (id, region, lot_id, gateway_id, epoch, to_tier, type, spots, state, request)
VALUES (%(id)s, %(region)s, %(lot)s, %(gateway)s, %(epoch)s, %(to_tier)s, %(type)s, %(spots)s::uuid[], %(state)s, %(request)s)
ON CONFLICT ON CONSTRAINT transfers_pkey DO UPDATE SET state = excluded.state, updated_at = now()

-- name: transfers_known
-- These transfers of the lot.
SELECT id, epoch, to_tier, type, spots, state, request FROM transfers WHERE lot_id = %(lot)s AND id = ANY (%(ids)s::uuid[])

-- name: transfers_in_flight
-- What is on its way to the lot in an epoch, the oldest first.
SELECT id, epoch, to_tier, type, spots, state, request FROM transfers
 WHERE lot_id = %(lot)s AND epoch = %(epoch)s AND state = 'in_flight' ORDER BY created_at, id LIMIT 500

-- name: transfers_strand
-- What earlier epochs left in flight is nobody's to sell until a recount.
UPDATE transfers SET state = 'stranded', updated_at = now()
 WHERE lot_id = %(lot)s AND state = 'in_flight' AND epoch < %(epoch)s

-- name: transfers_stranded
-- What is stranded of a lot.
SELECT id, epoch, to_tier, type, spots, state, request FROM transfers
 WHERE lot_id = %(lot)s AND state = 'stranded' ORDER BY created_at, id

-- name: owners_to_the_lot
-- A new epoch begins with every spot the lot's, but those that are stranded.
UPDATE parking_spots SET owner = 'edge', updated_at = now() WHERE region = %(region)s AND lot_id = %(lot)s AND owner = 'cloud'

-- name: shares_of_lot
-- By type: how many spots there are, how many are the cloud's, how many are on their way, and the share where one is set.
SELECT spot.type, count(*)::int AS total, count(*) FILTER (WHERE spot.owner = 'cloud')::int AS cloud_owned,
       count(*) FILTER (WHERE spot.owner = 'in_flight')::int AS in_flight, min(share.share_1e4) AS share_1e4
  FROM parking_spots AS spot LEFT JOIN cloud_shares AS share ON share.lot_id = spot.lot_id AND share.type = spot.type
 WHERE spot.region = %(region)s AND spot.lot_id = %(lot)s
 GROUP BY spot.type ORDER BY spot.type

-- name: share_set
-- How much of a lot's type the cloud is to own, in 1/10,000.
INSERT INTO cloud_shares (lot_id, type, share_1e4) VALUES (%(lot)s, %(type)s, %(share_1e4)s)
ON CONFLICT ON CONSTRAINT cloud_shares_pkey DO UPDATE SET share_1e4 = excluded.share_1e4, updated_at = now()

-- name: owners_of_lot
-- Each spot of a lot with its owner.
SELECT id, owner, transfer_id FROM parking_spots WHERE region = %(region)s AND lot_id = %(lot)s

-- name: owners_to_audit
-- The lots with a gateway in charge, and its epoch.
SELECT lot.region, lot.id AS lot, gateway.id AS gateway, gateway.epoch
  FROM gateways AS gateway JOIN parking_lots AS lot ON lot.region = gateway.region AND lot.id = gateway.lot_id
 WHERE gateway.state <> 'replaced' AND lot.layout_hash IS NOT NULL ORDER BY lot.id

-- name: transfer_facts
-- What a gateway's acknowledged log tells of transfers, in its order.
SELECT kind, body FROM gateway_inbox
 WHERE gateway_id = %(gateway)s AND epoch = %(epoch)s AND kind IN ('transfer_out', 'transfer_in') AND outcome = 'applied' ORDER BY seq

-- name: ownership_broken
-- Something about the owners of a lot's spots that cannot be, once while it lasts.
INSERT INTO conflicts (region, lot_id, kind, detail)
SELECT %(region)s, %(lot)s, 'ownership_broken', jsonb_build_object('problem', %(problem)s::text)
 WHERE NOT EXISTS (SELECT FROM conflicts AS known
                    WHERE known.lot_id = %(lot)s AND known.kind = 'ownership_broken' AND known.resolved_at IS NULL
                      AND known.detail ->> 'problem' = %(problem)s::text)
RETURNING id

-- name: ownership_whole
-- The owners of a lot's spots add up again.
UPDATE conflicts SET resolved_at = now(), updated_at = now()
 WHERE lot_id = %(lot)s AND kind = 'ownership_broken' AND resolved_at IS NULL

-- name: owned_by_type
-- Whose a lot's spots are that are not its own, by type.
SELECT spot.type, count(*) FILTER (WHERE spot.owner = 'cloud')::int AS cloud,
       count(*) FILTER (WHERE transfer.state = 'in_flight')::int AS in_flight,
       count(*) FILTER (WHERE transfer.state = 'stranded')::int AS stranded
  FROM parking_spots AS spot LEFT JOIN transfers AS transfer ON transfer.id = spot.transfer_id
 WHERE spot.lot_id = %(lot)s AND spot.owner <> 'edge' GROUP BY spot.type

-- name: rights_to_sell
-- Over all lots: spots on their way, spots that nobody may sell until a recount, and the cloud's own that could change hands now.
SELECT coalesce(sum(cardinality(spots)) FILTER (WHERE state = 'in_flight'), 0)::int AS in_flight,
       coalesce(sum(cardinality(spots)) FILTER (WHERE state = 'stranded'), 0)::int AS stranded,
       (SELECT count(*) FROM parking_spots AS spot
         WHERE spot.owner = 'cloud'
           AND NOT EXISTS (SELECT FROM claims AS taken WHERE taken.region = spot.region AND taken.spot_id = spot.id
                              AND taken.state IN ('held', 'firm')))::int AS transferable
  FROM transfers WHERE state <> 'credited'
