-- name: lot_lock
-- Whoever changes or publishes something of a lot holds its row.
SELECT region, id FROM parking_lots WHERE region = %(region)s AND id = %(lot)s FOR NO KEY UPDATE

-- name: lot_region
-- In which region a lot is.
SELECT region FROM parking_lots WHERE id = %(lot)s

-- name: lot_announce
-- Make room for a lot whose layout is still to come.
INSERT INTO parking_lots (region, id, name, source) VALUES (%(region)s, %(lot)s, %(name)s, 'gateway')
ON CONFLICT ON CONSTRAINT parking_lots_pkey DO NOTHING

-- name: lot_lay_out
-- The lot as its own lot.toml describes it.
UPDATE parking_lots
   SET name = %(name)s, address = %(address)s, timezone = %(timezone)s, currency = %(currency)s, total_spots = %(total_spots)s,
       location = ST_SetSRID(ST_MakePoint(%(longitude)s, %(latitude)s), 4326)::geography, policy = %(policy)s, lanes = %(lanes)s,
       operating_hours = %(operating_hours)s, layout_hash = %(hash)s, source = 'gateway', updated_at = now()
 WHERE region = %(region)s AND id = %(lot)s

-- name: zones_lay_out
-- The lot's zones: those that are gone, and those that are there.
WITH gone AS (DELETE FROM zones WHERE lot_id = %(lot)s AND NOT id = ANY (%(id)s::text[]))
INSERT INTO zones (region, lot_id, id, level, kind, enforced_by)
SELECT %(region)s, %(lot)s, row.*
  FROM unnest(%(id)s::text[], %(level)s::text[], %(kind)s::text[], %(enforced_by)s::text[]) AS row
ON CONFLICT ON CONSTRAINT zones_pkey DO UPDATE
   SET level = excluded.level, kind = excluded.kind, enforced_by = excluded.enforced_by, updated_at = now()

-- name: spots_lay_out
-- The lot's spots: those that are gone, and those that are there; a known one keeps its owner and its sensor's state.
WITH gone AS (DELETE FROM parking_spots WHERE region = %(region)s AND lot_id = %(lot)s AND NOT id = ANY (%(id)s::uuid[]))
INSERT INTO parking_spots (region, lot_id, ordinal, id, zone_id, number, type, level)
SELECT %(region)s, %(lot)s, ordinal, id, zone_id, number, type, level
  FROM unnest(%(id)s::uuid[], %(zone_id)s::text[], %(number)s::text[], %(type)s::text[], %(level)s::text[])
       WITH ORDINALITY AS row (id, zone_id, number, type, level, ordinal)
ON CONFLICT ON CONSTRAINT parking_spots_pkey DO UPDATE
   SET zone_id = excluded.zone_id, type = excluded.type, level = excluded.level, ordinal = excluded.ordinal, updated_at = now()

-- name: spots_see
-- Keep the sensors' last word on each spot; answers with the spots whose shown state changed.
UPDATE parking_spots AS spot
   SET sensor_state = new.state, sensor_source = new.source, sensor_epoch = %(epoch)s, sensor_n = new.n,
       sensor_confidence_1e4 = new.confidence, sensor_occurred_at = new.occurred_at, sensor_received_at = %(now)s,
       is_available = CASE new.state WHEN 'free' THEN true WHEN 'occupied' THEN false END, updated_at = now()
  FROM unnest(%(id)s::uuid[], %(n)s::bigint[], %(state)s::text[], %(source)s::text[], %(occurred_at)s::timestamptz[],
              %(confidence)s::int[]) AS new (id, n, state, source, occurred_at, confidence),
       parking_spots AS old
 WHERE spot.region = %(region)s AND spot.lot_id = %(lot)s AND spot.id = new.id
   AND old.region = spot.region AND old.id = spot.id
   AND (spot.sensor_epoch, spot.sensor_n) < (%(epoch)s, new.n)
RETURNING spot.id, spot.number, spot.level, spot.type, spot.sensor_state AS state, old.sensor_state AS old_state,
          spot.sensor_occurred_at AS occurred_at, spot.sensor_confidence_1e4 AS confidence_1e4

-- name: counts_report
-- Keep the gateway's own counts; they are shown while they know of more of the log than is applied here.
UPDATE lot_counts AS counts
   SET reported_total = new.total, reported_sellable = greatest(0, least(new.sellable, new.total)),
       reported_holds_until = new.holds_until, reported_as_of_seq = %(as_of_seq)s, updated_at = now()
  FROM unnest(%(type)s::text[], %(total)s::int[], %(sellable)s::int[], %(holds_until)s::timestamptz[])
       AS new (type, total, sellable, holds_until)
 WHERE counts.lot_id = %(lot)s AND counts.type = new.type AND counts.owner = 'edge'
   AND coalesce(counts.reported_as_of_seq, 0) <= %(as_of_seq)s

-- name: counts_recompute
-- Sellable now by type and owner, from the lot's claims and open stays, set-based (parking/sellable.py has the formula in words):
-- spots − spare spots − stays without a claim − the most claims that run at one instant of [now, now + assumed stay + buffer).
WITH lot AS (
    SELECT region, id, policy -> 'spare_spots' AS spare,
           make_interval(secs => (policy ->> 'assumed_stay_s')::int + (policy ->> 'turnover_buffer_s')::int) AS ahead
      FROM parking_lots WHERE region = %(region)s AND id = %(lot)s
), stock AS (
    SELECT spot.type, spot.owner, count(*)::int AS total
      FROM parking_spots AS spot
     WHERE spot.region = %(region)s AND spot.lot_id = %(lot)s
     GROUP BY spot.type, spot.owner
), running AS (
    SELECT coalesce(spot.type, claim.type) AS type, coalesce(spot.owner, 'edge') AS owner,
           lower(claim.during) AS starts_at, upper(claim.during) AS ends_at
      FROM claims AS claim
      LEFT JOIN parking_spots AS spot
        ON spot.region = claim.region AND spot.id = claim.spot_id AND spot.lot_id = claim.lot_id
     WHERE claim.region = %(region)s AND claim.lot_id = %(lot)s AND claim.state IN ('held', 'firm')
       AND upper(claim.during) > %(now)s
), steps AS (
    SELECT type, owner, greatest(starts_at, %(now)s) AS at, 1 AS step FROM running, lot WHERE starts_at < %(now)s + ahead
    UNION ALL
    SELECT type, owner, ends_at, -1 FROM running, lot WHERE starts_at < %(now)s + ahead AND ends_at < %(now)s + ahead
), depths AS (
    SELECT type, owner, sum(step) OVER (PARTITION BY type, owner ORDER BY at, step ROWS UNBOUNDED PRECEDING) AS depth FROM steps
), deepest AS (
    SELECT type, owner, max(depth)::int AS depth FROM depths GROUP BY type, owner
), claimless AS (
    SELECT type, count(*)::int AS count FROM stays
     WHERE lot_id = %(lot)s AND state IN ('admitted', 'inside') AND claim_id IS NULL
     GROUP BY type
), changes AS (
    SELECT type, owner, min(ends_at) FILTER (WHERE ends_at < 'infinity') AS ends_at,
           greatest(min(starts_at) FILTER (WHERE starts_at >= %(now)s + ahead) - min(ahead), %(now)s + interval '1 microsecond')
               AS nears_at,
           bool_or(starts_at >= %(now)s + ahead) AS any_later
      FROM running, lot GROUP BY type, owner
), computed AS (
    SELECT stock.type, stock.owner, stock.total,
           greatest(0, stock.total - coalesce(deepest.depth, 0)
               - CASE stock.owner WHEN 'edge' THEN coalesce((lot.spare ->> stock.type)::int, 0) + coalesce(claimless.count, 0)
                                  WHEN 'in_flight' THEN stock.total
                                  ELSE 0 END) AS sellable,
           least(changes.ends_at, CASE WHEN changes.any_later THEN changes.nears_at END) AS holds_until
      FROM lot
      CROSS JOIN stock
      LEFT JOIN deepest USING (type, owner)
      LEFT JOIN changes USING (type, owner)
      LEFT JOIN claimless USING (type)
), gone AS (
    DELETE FROM lot_counts WHERE lot_id = %(lot)s AND (type, owner) NOT IN (SELECT type, owner FROM stock)
), written AS (
    INSERT INTO lot_counts (region, lot_id, type, owner, total, sellable, holds_until, as_of_seq)
    SELECT %(region)s, %(lot)s, type, owner, total, sellable, holds_until, %(as_of_seq)s FROM computed
    ON CONFLICT ON CONSTRAINT lot_counts_pkey DO UPDATE
       SET total = excluded.total, sellable = excluded.sellable, holds_until = excluded.holds_until,
           as_of_seq = greatest(lot_counts.as_of_seq, excluded.as_of_seq), updated_at = now()
    RETURNING type
)
SELECT count(*) AS types FROM written

-- name: counts_shown
-- What a lot may sell now, by type and owner.
SELECT type, owner, total, sellable, holds_until, as_of_seq, is_reported FROM lot_counts_shown
 WHERE lot_id = %(lot)s ORDER BY type, owner

-- name: counts_due
-- The lots of gateways whose counts hold no longer at the civil instant `now`, and how much of the log they know.
SELECT lot.region, lot.id AS lot, max(counts.as_of_seq) AS as_of_seq
  FROM lot_counts AS counts JOIN parking_lots AS lot ON lot.region = counts.region AND lot.id = counts.lot_id
 WHERE counts.holds_until <= %(now)s AND lot.layout_hash IS NOT NULL
 GROUP BY lot.region, lot.id LIMIT 500

-- name: counts_next_due
-- The civil instant at which the first of them holds no longer.
SELECT min(holds_until) AS due_at FROM lot_counts

-- name: search_nearest
-- A page of lots around a point, nearest first on the sphere, then what may be sold at those only. The index yields lots in that order
-- and is read no further than the page (ORDER BY has nothing but the distance, or PostgreSQL 15 would sort them all); lots at the
-- very same distance come with it, so that pages are whole.
WITH nearest AS (
    SELECT lot.*, ST_Distance(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, false) AS distance_m
      FROM parking_lots AS lot
     ORDER BY lot.location <-> ST_Point(%(lng)s, %(lat)s)::geography
     FETCH FIRST (%(limit)s::bigint + %(offset)s::bigint) ROWS WITH TIES
), near AS (
    SELECT * FROM nearest WHERE distance_m <= %(radius_m)s ORDER BY distance_m, id LIMIT %(limit)s OFFSET %(offset)s
)
SELECT near.id, near.name, near.address, ST_Y(near.location::geometry) AS latitude, ST_X(near.location::geometry) AS longitude,
       near.timezone, near.currency, near.amenities, near.operating_hours, near.total_spots, near.layout_hash IS NOT NULL AS is_ours,
       near.distance_m, coalesce(counts.types, '[]') AS counts
  FROM near
  LEFT JOIN LATERAL (
       SELECT jsonb_agg(to_jsonb(by_type) ORDER BY type) AS types
         FROM (SELECT type, sum(total) AS total, sum(sellable) AS sellable, min(holds_until) AS holds_until
                 FROM lot_counts_shown AS shown WHERE shown.lot_id = near.id GROUP BY type) AS by_type) AS counts ON true
 ORDER BY near.distance_m, near.id

-- name: search_nearest_of_type
-- The same among lots that have places of a type. The radius bounds how far the index is read where hardly any lot has them. The filter
-- is a scalar sub-select on purpose: the planner must not turn it into a join over all counts.
WITH near AS (
    SELECT lot.*, ST_Distance(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, false) AS distance_m
      FROM parking_lots AS lot
     WHERE ST_DWithin(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, %(radius_m)s, false)
       AND (SELECT bool_or(total > 0) FROM lot_counts_shown AS counts WHERE counts.lot_id = lot.id AND counts.type = %(type)s)
     ORDER BY lot.location <-> ST_Point(%(lng)s, %(lat)s)::geography, lot.id
     LIMIT %(limit)s OFFSET %(offset)s
)
SELECT near.id, near.name, near.address, ST_Y(near.location::geometry) AS latitude, ST_X(near.location::geometry) AS longitude,
       near.timezone, near.currency, near.amenities, near.operating_hours, near.total_spots, near.layout_hash IS NOT NULL AS is_ours,
       near.distance_m, coalesce(counts.types, '[]') AS counts
  FROM near
  LEFT JOIN LATERAL (
       SELECT jsonb_agg(to_jsonb(by_type) ORDER BY type) AS types
         FROM (SELECT type, sum(total) AS total, sum(sellable) AS sellable, min(holds_until) AS holds_until
                 FROM lot_counts_shown AS shown WHERE shown.lot_id = near.id GROUP BY type) AS by_type) AS counts ON true
 ORDER BY near.distance_m, near.id

-- name: search_freest
-- The same, most places to sell first (of one type, where one is asked for), then nearest.
WITH near AS (
    SELECT lot.*, ST_Distance(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, false) AS distance_m,
           coalesce((SELECT sum(sellable) FROM lot_counts_shown AS counts
                      WHERE counts.lot_id = lot.id AND (%(type)s::text IS NULL OR counts.type = %(type)s)), 0) AS free
      FROM parking_lots AS lot
     WHERE ST_DWithin(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, %(radius_m)s, false)
       AND (%(type)s::text IS NULL
            OR (SELECT bool_or(total > 0) FROM lot_counts_shown AS counts WHERE counts.lot_id = lot.id AND counts.type = %(type)s))
     ORDER BY free DESC, distance_m, lot.id
     LIMIT %(limit)s OFFSET %(offset)s
)
SELECT near.id, near.name, near.address, ST_Y(near.location::geometry) AS latitude, ST_X(near.location::geometry) AS longitude,
       near.timezone, near.currency, near.amenities, near.operating_hours, near.total_spots, near.layout_hash IS NOT NULL AS is_ours,
       near.distance_m, coalesce(counts.types, '[]') AS counts
  FROM near
  LEFT JOIN LATERAL (
       SELECT jsonb_agg(to_jsonb(by_type) ORDER BY type) AS types
         FROM (SELECT type, sum(total) AS total, sum(sellable) AS sellable, min(holds_until) AS holds_until
                 FROM lot_counts_shown AS shown WHERE shown.lot_id = near.id GROUP BY type) AS by_type) AS counts ON true
 ORDER BY near.free DESC, near.distance_m, near.id

-- name: search_total
-- How many lots there are within the radius.
SELECT count(*) AS total FROM parking_lots AS lot
 WHERE ST_DWithin(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, %(radius_m)s, false)
   AND (%(type)s::text IS NULL
        OR (SELECT bool_or(total > 0) FROM lot_counts_shown AS counts WHERE counts.lot_id = lot.id AND counts.type = %(type)s))

-- name: search_ids
-- The nearest lots of gateways within the radius, for those who want to be told of them.
SELECT lot.id FROM parking_lots AS lot
 WHERE ST_DWithin(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, %(radius_m)s, false) AND lot.layout_hash IS NOT NULL
 ORDER BY lot.location <-> ST_Point(%(lng)s, %(lat)s)::geography, lot.id
 LIMIT %(limit)s

-- name: lots_by_id
-- Some lots, and what may be sold there.
SELECT lot.id, lot.name, lot.address, ST_Y(lot.location::geometry) AS latitude, ST_X(lot.location::geometry) AS longitude,
       lot.timezone, lot.currency, lot.amenities, lot.operating_hours, lot.total_spots, lot.layout_hash IS NOT NULL AS is_ours,
       NULL::float8 AS distance_m, coalesce(counts.types, '[]') AS counts
  FROM parking_lots AS lot
  LEFT JOIN LATERAL (
       SELECT jsonb_agg(to_jsonb(by_type) ORDER BY type) AS types
         FROM (SELECT type, sum(total) AS total, sum(sellable) AS sellable, min(holds_until) AS holds_until
                 FROM lot_counts_shown AS shown WHERE shown.lot_id = lot.id GROUP BY type) AS by_type) AS counts ON true
 WHERE lot.id = ANY (%(ids)s::uuid[])

-- name: lot_structure
-- A lot's zones and lanes.
SELECT lot.lanes, coalesce(jsonb_agg(jsonb_build_object('id', zone.id, 'level', zone.level, 'kind', zone.kind,
       'enforced_by', zone.enforced_by) ORDER BY zone.id) FILTER (WHERE zone.id IS NOT NULL), '[]') AS zones
  FROM parking_lots AS lot LEFT JOIN zones AS zone ON zone.lot_id = lot.id
 WHERE lot.id = %(lot)s GROUP BY lot.region, lot.id

-- name: spots_of_lot
-- A page of a lot's spots as its sensors see them.
SELECT spot.id, spot.lot_id, spot.number, spot.level, spot.zone_id AS zone, spot.type, spot.sensor_state AS state,
       spot.sensor_source AS source, spot.sensor_confidence_1e4 AS confidence_1e4, spot.sensor_occurred_at AS last_updated,
       NULL::float8 AS distance_m
  FROM parking_spots AS spot
 WHERE spot.lot_id = %(lot)s AND (%(level)s::text IS NULL OR spot.level = %(level)s)
   AND (%(type)s::text IS NULL OR spot.type = %(type)s) AND (%(state)s::text IS NULL OR spot.sensor_state = %(state)s)
 ORDER BY spot.ordinal LIMIT %(limit)s OFFSET %(offset)s

-- name: spots_of_lot_total
-- How many those are.
SELECT count(*) AS total FROM parking_spots AS spot
 WHERE spot.lot_id = %(lot)s AND (%(level)s::text IS NULL OR spot.level = %(level)s)
   AND (%(type)s::text IS NULL OR spot.type = %(type)s) AND (%(state)s::text IS NULL OR spot.sensor_state = %(state)s)

-- name: spots_near
-- A page of the spots of lots around a point, nearest lot first: a spot is where its lot is, unless it has a place of its own.
-- OFFSET 0 keeps the planner from joining all spots.
WITH near AS (
    SELECT lot.region, lot.id, lot.location, ST_Distance(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, false) AS distance_m
      FROM parking_lots AS lot
     WHERE ST_DWithin(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, %(radius_m)s, false) AND lot.layout_hash IS NOT NULL
     ORDER BY lot.location <-> ST_Point(%(lng)s, %(lat)s)::geography, lot.id
)
SELECT spot.id, spot.lot_id, spot.number, spot.level, spot.zone_id AS zone, spot.type, spot.sensor_state AS state,
       spot.sensor_source AS source, spot.sensor_confidence_1e4 AS confidence_1e4, spot.sensor_occurred_at AS last_updated,
       near.distance_m
  FROM near
  CROSS JOIN LATERAL (SELECT * FROM parking_spots AS here
                       WHERE here.lot_id = near.id AND (%(type)s::text IS NULL OR here.type = %(type)s)
                         AND (%(state)s::text IS NULL OR here.sensor_state = %(state)s)
                       ORDER BY here.ordinal OFFSET 0) AS spot
 ORDER BY near.distance_m, near.id, spot.ordinal LIMIT %(limit)s OFFSET %(offset)s

-- name: spots_near_total
-- How many those are.
WITH near AS (
    SELECT lot.id FROM parking_lots AS lot
     WHERE ST_DWithin(lot.location, ST_Point(%(lng)s, %(lat)s)::geography, %(radius_m)s, false) AND lot.layout_hash IS NOT NULL
)
SELECT coalesce(sum(spots.count), 0)::bigint AS total
  FROM near
  CROSS JOIN LATERAL (SELECT count(*) AS count FROM parking_spots AS here
                       WHERE here.lot_id = near.id AND (%(type)s::text IS NULL OR here.type = %(type)s)
                         AND (%(state)s::text IS NULL OR here.sensor_state = %(state)s) OFFSET 0) AS spots

-- name: lots_list
-- The lots that we know, those with a gateway first.
SELECT id, name, address, total_spots, layout_hash IS NOT NULL AS is_ours, source_reference
  FROM parking_lots ORDER BY layout_hash IS NULL, name, id LIMIT %(limit)s

-- name: operators_import
-- The operators that a published list names.
INSERT INTO operators (id, name) SELECT row.* FROM unnest(%(id)s::uuid[], %(name)s::text[]) AS row ON CONFLICT DO NOTHING

-- name: lots_import
-- Lots of a published list: new ones, and those that differ from what was imported before; a gateway's lot is left alone.
INSERT INTO parking_lots AS known (id, operator_id, name, address, location, timezone, currency, total_spots, amenities, source,
                                   source_reference)
SELECT id, operator_id, name, address, ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)::geography, timezone, currency,
       total_spots, amenities, 'import', reference
  FROM unnest(%(id)s::uuid[], %(operator_id)s::uuid[], %(name)s::text[], %(address)s::text[], %(latitude)s::float8[],
              %(longitude)s::float8[], %(timezone)s::text[], %(currency)s::text[], %(total_spots)s::int[], %(amenities)s::jsonb[],
              %(reference)s::text[])
       AS row (id, operator_id, name, address, latitude, longitude, timezone, currency, total_spots, amenities, reference)
ON CONFLICT ON CONSTRAINT parking_lots_pkey DO UPDATE
   SET operator_id = excluded.operator_id, name = excluded.name, address = excluded.address, location = excluded.location,
       timezone = excluded.timezone, currency = excluded.currency, total_spots = excluded.total_spots,
       amenities = excluded.amenities, source_reference = excluded.source_reference, updated_at = now()
 WHERE known.source = 'import'
   AND (known.operator_id, known.name, known.address, known.timezone, known.currency, known.total_spots, known.amenities,
        known.source_reference, ST_AsBinary(known.location))
       IS DISTINCT FROM
       (excluded.operator_id, excluded.name, excluded.address, excluded.timezone, excluded.currency, excluded.total_spots,
        excluded.amenities, excluded.source_reference, ST_AsBinary(excluded.location))
RETURNING id, created_at = updated_at AS is_new

-- name: lots_of_gateways
-- Which of these lots are described by a gateway.
SELECT id FROM parking_lots WHERE id = ANY (%(id)s::uuid[]) AND source <> 'import'

-- name: counts_import
-- The places of imported lots by type. Nothing is sold there: sellable stays 0, and the API says that nothing is known.
WITH gone AS (
    DELETE FROM lot_counts AS counts WHERE counts.lot_id = ANY (%(lots)s::uuid[])
       AND NOT EXISTS (SELECT FROM unnest(%(lot)s::uuid[], %(type)s::text[]) AS row (lot_id, type)
                        WHERE row.lot_id = counts.lot_id AND row.type = counts.type)
)
INSERT INTO lot_counts AS known (lot_id, type, total, sellable)
SELECT lot_id, type, total, 0 FROM unnest(%(lot)s::uuid[], %(type)s::text[], %(total)s::int[]) AS row (lot_id, type, total)
ON CONFLICT ON CONSTRAINT lot_counts_pkey DO UPDATE SET total = excluded.total, updated_at = now()
 WHERE known.total <> excluded.total
RETURNING lot_id

-- name: lots_of_gateways_all
-- The lots that a gateway has laid out.
SELECT id FROM parking_lots WHERE layout_hash IS NOT NULL ORDER BY name, id LIMIT %(limit)s

-- name: lots_figures
-- How many lots and places are known.
SELECT count(*)::int AS lots, coalesce(sum(total_spots), 0)::int AS spots FROM parking_lots

-- name: lots_named
-- A page of lots whose name or address holds a text, those with a gateway first.
SELECT id, count(*) OVER () AS total FROM parking_lots
 WHERE %(text)s = '' OR strpos(lower(name || ' ' || address), lower(%(text)s)) > 0
 ORDER BY layout_hash IS NULL, name, id LIMIT %(limit)s OFFSET %(offset)s
