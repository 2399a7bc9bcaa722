-- name: code_keep
-- Keep a one-time enrolment code (its hash) for a lot.
INSERT INTO enrolment_codes (code_hash, region, lot_id, expires_at)
VALUES (%(code_hash)s, %(region)s, %(lot)s, now() + make_interval(hours => %(hours)s))

-- name: code_find
-- A code that has not expired, and the gateway that used it; held until the transaction ends.
SELECT region, lot_id, gateway_id FROM enrolment_codes WHERE code_hash = %(code_hash)s AND expires_at > now() FOR UPDATE

-- name: code_use
-- A code serves one gateway.
UPDATE enrolment_codes SET gateway_id = %(gateway)s, used_at = now(), updated_at = now() WHERE code_hash = %(code_hash)s

-- name: epoch_next
-- The lot's next epoch.
SELECT coalesce(max(epoch), 0) + 1 AS epoch FROM gateways WHERE lot_id = %(lot)s

-- name: gateways_replace
-- A lot has one gateway: the earlier ones are over.
UPDATE gateways SET state = 'replaced', state_reason = %(reason)s, session = session + 1, updated_at = now()
 WHERE lot_id = %(lot)s AND state <> 'replaced'

-- name: gateway_enrol
-- A new gateway, whose log begins.
INSERT INTO gateways (id, region, lot_id, public_key, epoch, acknowledged_hash)
VALUES (%(gateway)s, %(region)s, %(lot)s, %(public_key)s, %(epoch)s, %(hash)s)

-- name: gateway_record
-- What is held of a gateway when it says hello, with the stored hash of the row it names.
SELECT gateway.id, gateway.region, gateway.lot_id, gateway.public_key, gateway.epoch, gateway.acknowledged_seq,
       gateway.acknowledged_hash, gateway.state, gateway.state_reason, lot.layout_hash,
       (SELECT inbox.hash FROM gateway_inbox AS inbox
         WHERE inbox.gateway_id = gateway.id AND inbox.epoch = gateway.epoch AND inbox.seq = %(seq)s LIMIT 1) AS hash_at_hello
  FROM gateways AS gateway JOIN parking_lots AS lot ON lot.region = gateway.region AND lot.id = gateway.lot_id
 WHERE gateway.id = %(gateway)s

-- name: session_begin
-- The next session replaces the older one; its number is checked by whatever it applies.
UPDATE gateways
   SET session = session + 1, boot = %(boot)s, software = %(software)s, clock_quality = %(clock_quality)s,
       last_seq = greatest(acknowledged_seq, %(last_seq)s), backlog = greatest(0, %(last_seq)s - acknowledged_seq),
       connected_at = now(), disconnected_at = NULL, last_heard_at = now(), link_holder = nullif(%(holder)s, 0)::bigint,
       updated_at = now()
 WHERE id = %(gateway)s
RETURNING session

-- name: clock_changed
-- The lot's log tells how good its time is now.
UPDATE gateways SET clock_quality = %(quality)s, updated_at = now() WHERE id = %(gateway)s

-- name: session_end
-- This session's line is closed.
UPDATE gateways SET disconnected_at = now(), updated_at = now()
 WHERE id = %(gateway)s AND session = %(session)s AND disconnected_at IS NULL
RETURNING state

-- name: session_hold
-- Hold the gateway's row until the transaction ends, and say who may write: one epoch and session.
SELECT gateway.epoch, gateway.session, gateway.state, gateway.acknowledged_seq, gateway.acknowledged_hash
  FROM gateways AS gateway WHERE gateway.id = %(gateway)s FOR NO KEY UPDATE

-- name: gateway_set_state
-- Quarantined, fenced or well again, and why.
UPDATE gateways SET state = %(state)s, state_reason = %(reason)s, updated_at = now() WHERE id = %(gateway)s
RETURNING id, region, lot_id

-- name: gateway_heard
-- Telemetry came: when, and how the lot is.
UPDATE gateways
   SET last_heard_at = now(), backlog = %(backlog)s, unexplained = %(unexplained)s, updated_at = now(),
       lane_states = CASE WHEN %(lanes)s::jsonb = '{}' THEN lane_states ELSE %(lanes)s::jsonb END
 WHERE id = %(gateway)s

-- name: inbox_hashes
-- The hashes of rows that are held already.
SELECT seq, hash FROM gateway_inbox
 WHERE gateway_id = %(gateway)s AND epoch = %(epoch)s AND seq BETWEEN %(first)s AND %(last)s

-- name: inbox_insert
-- Take rows in; answers with those that were not held yet. Nothing else keeps a row from being applied twice.
INSERT INTO gateway_inbox (gateway_id, epoch, seq, hash, body, kind, occurred_at, outcome)
SELECT %(gateway)s, %(epoch)s, row.*
  FROM unnest(%(seq)s::bigint[], %(hash)s::bytea[], %(body)s::bytea[], %(kind)s::text[], %(occurred_at)s::timestamptz[],
              %(outcome)s::text[]) AS row
ON CONFLICT DO NOTHING
RETURNING seq

-- name: quarantine_insert
-- Say of rows why they could not be understood or kept as what they say they are.
INSERT INTO gateway_quarantine (gateway_id, epoch, seq, field, problem)
SELECT %(gateway)s, %(epoch)s, row.* FROM unnest(%(seq)s::bigint[], %(field)s::text[], %(problem)s::text[]) AS row
ON CONFLICT DO NOTHING

-- name: inbox_quarantined
-- These rows of the inbox are quarantined.
UPDATE gateway_inbox SET outcome = 'quarantined'
 WHERE gateway_id = %(gateway)s AND epoch = %(epoch)s AND seq = ANY (%(seq)s::bigint[])

-- name: page_acknowledge
-- The log is applied up to here.
UPDATE gateways
   SET acknowledged_seq = %(seq)s, acknowledged_hash = %(hash)s, last_seq = greatest(last_seq, %(seq)s),
       backlog = greatest(0, greatest(last_seq, %(seq)s) - %(seq)s), events_applied = events_applied + %(applied)s,
       events_quarantined = events_quarantined + %(quarantined)s, last_heard_at = now(), updated_at = now()
 WHERE id = %(gateway)s AND acknowledged_seq < %(seq)s

-- name: page_repeated
-- A page that was applied before came again; what of it was taken in is counted.
UPDATE gateways SET events_applied = events_applied + %(applied)s, last_heard_at = now(), updated_at = now()
 WHERE id = %(gateway)s

-- name: documents_after
-- What the centre has decided for this gateway after number n, in order.
SELECT n, kind, body FROM gateway_documents WHERE gateway_id = %(gateway)s AND n > %(n)s ORDER BY n LIMIT %(limit)s

-- name: documents_acknowledge
-- The gateway has applied everything up to n.
UPDATE gateway_documents SET acknowledged_at = now(), updated_at = now()
 WHERE gateway_id = %(gateway)s AND n <= %(n)s AND acknowledged_at IS NULL

-- name: document_add
-- The next document of a gateway; its row is held by the transaction.
INSERT INTO gateway_documents (gateway_id, n, kind, body)
SELECT %(gateway)s, coalesce(max(n), 0) + 1, %(kind)s, %(body)s FROM gateway_documents WHERE gateway_id = %(gateway)s
RETURNING n

-- name: document_last
-- A gateway's newest document of a kind.
SELECT body FROM gateway_documents WHERE gateway_id = %(gateway)s AND kind = %(kind)s ORDER BY n DESC LIMIT 1

-- name: gateway_of_lot
-- The lot's gateway in charge, held until the transaction ends.
SELECT id FROM gateways WHERE lot_id = %(lot)s AND state <> 'replaced' FOR NO KEY UPDATE

-- name: tariff_keep
-- A lot's tariff by version; the same version again must be the same tariff.
INSERT INTO tariffs (lot_id, version, valid_from, body) VALUES (%(lot)s, %(version)s, %(valid_from)s, %(body)s)
ON CONFLICT ON CONSTRAINT tariffs_pkey DO NOTHING
RETURNING version

-- name: tariffs_of_lot
-- A lot's tariffs in the order in which they were put.
SELECT body FROM tariffs WHERE lot_id = %(lot)s ORDER BY created_at, version

-- name: gateways_list
-- The fleet: who is heard, how far each log and document list is.
SELECT gateway.id, gateway.lot_id, lot.name AS lot_name, gateway.epoch, gateway.session, gateway.state, gateway.state_reason,
       gateway.acknowledged_seq, gateway.last_seq, gateway.backlog, gateway.unexplained, gateway.lane_states,
       gateway.events_applied, gateway.events_quarantined, gateway.software, gateway.clock_quality, gateway.connected_at,
       gateway.disconnected_at, gateway.last_heard_at,
       extract(epoch FROM now() - gateway.last_heard_at)::float8 AS age_s,
       (gateway.connected_at IS NOT NULL AND gateway.disconnected_at IS NULL) AS session_open,
       (SELECT count(*) FROM gateway_documents AS document
         WHERE document.gateway_id = gateway.id AND document.acknowledged_at IS NULL) AS documents_waiting
  FROM gateways AS gateway JOIN parking_lots AS lot ON lot.region = gateway.region AND lot.id = gateway.lot_id
 WHERE (%(lot)s::uuid IS NULL OR gateway.lot_id = %(lot)s)
 ORDER BY lot.name, gateway.epoch

-- name: lines_of_lots
-- How the line to each of these lots is, and how long ago it was heard.
SELECT lot_id, state, last_heard_at, connected_at IS NOT NULL AND disconnected_at IS NULL AS session_open,
       extract(epoch FROM now() - last_heard_at) AS age_s
  FROM gateways WHERE lot_id = ANY (%(lots)s::uuid[]) AND state <> 'replaced'

-- name: documents_acknowledged_n
-- Up to which number a gateway has its list of documents.
SELECT coalesce(max(n), 0) AS n FROM gateway_documents WHERE gateway_id = %(gateway)s AND acknowledged_at IS NOT NULL

-- name: line_of_lot
-- The session of the moment of the lot's gateway in charge, and how far its log is applied. Late is down: whom nobody has heard for
-- a minute is not asked for a vote, and neither is a line whose process is dead (it holds its lock while it lives).
SELECT id, region, epoch, session, acknowledged_seq,
       state = 'ok' AND connected_at IS NOT NULL AND disconnected_at IS NULL AND last_heard_at > now() - interval '60 seconds'
           AND link_is_held(link_holder) AS connected
  FROM gateways WHERE lot_id = %(lot)s AND state <> 'replaced'

-- name: facts_latest
-- The newest rows of a gateway's log.
SELECT seq, body, outcome, occurred_at FROM gateway_inbox
 WHERE gateway_id = %(gateway)s AND epoch = %(epoch)s ORDER BY seq DESC LIMIT %(limit)s

-- name: refusals_since
-- How often a lane refused somebody since an instant.
SELECT count(*)::int AS count FROM gateway_inbox AS inbox JOIN gateways AS gateway ON gateway.id = inbox.gateway_id
 WHERE gateway.lot_id = ANY (%(lots)s::uuid[]) AND inbox.kind = 'admission_refused' AND inbox.occurred_at >= %(since)s
   AND inbox.epoch = gateway.epoch

-- name: line_of_gateway
-- The session of the moment of a gateway in charge, held until the transaction ends: it neither ends nor is replaced meanwhile.
SELECT lot_id, epoch, session, state,
       connected_at IS NOT NULL AND disconnected_at IS NULL AND last_heard_at > now() - interval '60 seconds'
           AND link_is_held(link_holder) AS connected
  FROM gateways WHERE id = %(gateway)s AND state <> 'replaced' FOR NO KEY UPDATE

-- name: gateways_ages
-- How long ago each gateway that is well was heard; one that is fenced or quarantined is not listened to.
SELECT extract(epoch FROM now() - last_heard_at)::float8 AS age_s,
       (connected_at IS NOT NULL AND disconnected_at IS NULL) AS session_open
  FROM gateways WHERE state = 'ok'

-- name: gateways_silent
-- Gateways that are well and that nobody has heard for so long, of which that was not told yet.
SELECT id, region, lot_id FROM gateways
 WHERE state = 'ok' AND last_heard_at < now() - make_interval(secs => %(after_s)s)
   AND (silent_told_at IS NULL OR silent_told_at < last_heard_at)
 ORDER BY last_heard_at LIMIT %(limit)s

-- name: gateway_silence_told
-- Its silence is told in this transaction; none where another process did, or it spoke.
UPDATE gateways SET silent_told_at = now(), updated_at = now()
 WHERE id = %(gateway)s AND state = 'ok' AND last_heard_at < now() - make_interval(secs => %(after_s)s)
   AND (silent_told_at IS NULL OR silent_told_at < last_heard_at)
RETURNING extract(epoch FROM now() - last_heard_at)::float8 AS age_s

-- name: command_keep
-- A command that is about to be said, once for each key; none where the key is taken.
INSERT INTO gate_commands (id, lot_id, gateway_id, epoch, session, lane, move, by_name, reason, actor, key)
VALUES (%(command)s, %(lot)s, %(gateway)s, %(epoch)s, %(session)s, %(lane)s, %(move)s, %(by)s, %(reason)s, %(actor)s, %(key)s)
ON CONFLICT ON CONSTRAINT gate_commands_asked_once DO NOTHING
RETURNING *

-- name: command_of_key
-- The command that somebody sent under a key.
SELECT * FROM gate_commands WHERE actor = %(actor)s AND key = %(key)s

-- name: command_read
-- One command of a gateway.
SELECT * FROM gate_commands WHERE id = %(command)s AND gateway_id = %(gateway)s

-- name: commands_latest
-- The newest commands of a gateway.
SELECT * FROM gate_commands WHERE gateway_id = %(gateway)s ORDER BY created_at DESC, id LIMIT %(limit)s

-- name: command_answered
-- The lot has answered, in the session in which it was asked.
UPDATE gate_commands SET state = %(state)s, detail = %(detail)s, ended_at = clock_timestamp(), updated_at = now()
 WHERE id = %(command)s AND gateway_id = %(gateway)s AND session = %(session)s AND state = 'sent'
RETURNING id, lot_id, state, detail

-- name: commands_of_session_unknown
-- A session is over, and all before it: what they left unanswered is unknown.
UPDATE gate_commands SET state = 'unknown', detail = %(detail)s, ended_at = clock_timestamp(), updated_at = now()
 WHERE gateway_id = %(gateway)s AND session <= %(session)s AND state = 'sent'
RETURNING id, lot_id, state, detail

-- name: commands_lost_unknown
-- Commands whose session is over without anybody having said so, those whose link was held by a process that is dead, and those that a
-- minute has not answered. A holder that only lost its listener is back within five seconds.
UPDATE gate_commands AS command
   SET state = 'unknown', ended_at = clock_timestamp(), updated_at = now(),
       detail = CASE WHEN command.session = gateway.session AND gateway.disconnected_at IS NULL AND link_is_held(gateway.link_holder)
                     THEN %(time_over)s ELSE %(session_over)s END
  FROM gateways AS gateway
 WHERE command.state = 'sent' AND gateway.id = command.gateway_id
   AND (gateway.session <> command.session OR gateway.disconnected_at IS NOT NULL OR command.created_at < now() - interval '60 seconds'
        OR (command.created_at < now() - interval '5 seconds' AND NOT link_is_held(gateway.link_holder)))
RETURNING command.id, command.lot_id, command.state, command.detail
