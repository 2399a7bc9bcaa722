-- Everything that is asked of the ledger's file: name, sentence, statement.

-- name: set_journal
-- Readers never wait for the writer, and a commit is one append.
PRAGMA journal_mode = WAL;

-- name: set_synchronous
-- A commit returns when the disk has it.
PRAGMA synchronous = FULL;

-- name: set_foreign_keys
-- A row never refers to one that is not there.
PRAGMA foreign_keys = ON;

-- name: defer_foreign_keys
-- Rows that refer to each other arrive in any order, within one transaction.
PRAGMA defer_foreign_keys = ON;

-- name: set_vacuum
-- Pages that retention frees can be given back; takes effect in a new file only.
PRAGMA auto_vacuum = INCREMENTAL;

-- name: set_checkpoint
-- Fold the write-ahead log back every so many pages.
PRAGMA wal_autocheckpoint = 1000;

-- name: fold_back
-- Fold the write-ahead log back as far as no reader needs it.
PRAGMA wal_checkpoint(PASSIVE);

-- name: set_cache
-- Half a megabyte of pages for each connection: memory holds what lanes ask for, not the file.
PRAGMA cache_size = -512;

-- name: set_query_only
-- A connection that only looks.
PRAGMA query_only = ON;

-- name: quick_check
-- Whether the file is whole; one row saying ok.
PRAGMA quick_check(1);

-- name: page_size
-- Bytes in a page.
PRAGMA page_size;

-- name: page_count
-- Pages in the file.
PRAGMA page_count;

-- name: free_pages
-- Pages that hold nothing.
PRAGMA freelist_count;

-- name: give_back_pages
-- Shrink the file by some of its free pages.
PRAGMA incremental_vacuum(500);

-- name: put_meta
-- Remember one value by its key.
INSERT INTO meta (key, value) VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: drop_meta
-- Forget one value.
DELETE FROM meta WHERE key = :key;

-- name: read_meta
-- Every remembered value.
SELECT key, value FROM meta;

-- name: put_spot
-- A spot of the layout; its owner stays as it is where the spot is known.
INSERT INTO spots (id, zone, number, type, owner) VALUES (:id, :zone, :number, :type, :owner)
ON CONFLICT (id) DO UPDATE SET zone = excluded.zone, number = excluded.number, type = excluded.type
WHERE zone <> excluded.zone OR number <> excluded.number OR type <> excluded.type;

-- name: read_spots
-- Every spot ever known, with its owner.
SELECT id, zone, number, type, owner FROM spots;

-- name: lift_claim
-- Take a claim off its spot before the claims of one change are put down: a swap would violate the rule of no overlap.
UPDATE claims SET spot = NULL WHERE id = :id AND version < :version;

-- name: put_claim
-- A claim, where its version is higher than the stored one.
INSERT INTO claims (
    id, spot, type, starts_us, ends_us, kind, holder_kind, holder_id, state, sold_by, epoch, revision, version, clashing, seq
) VALUES (
    :id, :spot, :type, :starts_us, :ends_us, :kind, :holder_kind, :holder_id, :state, :sold_by, :epoch, :revision, :version,
    :clashing, :seq
)
ON CONFLICT (id) DO UPDATE SET
    spot = excluded.spot, type = excluded.type, starts_us = excluded.starts_us, ends_us = excluded.ends_us, kind = excluded.kind,
    holder_kind = excluded.holder_kind, holder_id = excluded.holder_id, state = excluded.state, sold_by = excluded.sold_by,
    epoch = excluded.epoch, revision = excluded.revision, version = excluded.version, clashing = excluded.clashing,
    seq = excluded.seq
WHERE excluded.version > claims.version;

-- name: read_claims
-- The claims that still promise something, and those released of the last while: a late word must not bring them back.
SELECT
    id, spot, type, starts_us, ends_us, kind, holder_kind, holder_id, state, sold_by, epoch, revision, version, clashing
FROM claims WHERE state <> 'released' OR ends_us >= :closed_since_us;

-- name: put_stay
-- A stay, where its version is higher than the stored one.
INSERT INTO stays (
    id, credential_kind, subject, type, state, lane, entry_seq, admitted_us, entered_us, left_us, claim, over_count,
    tariff_version, factor_1e4, paid_until_us, version, seq
) VALUES (
    :id, :credential_kind, :subject, :type, :state, :lane, :seq, :admitted_us, :entered_us, :left_us, :claim,
    :over_count, :tariff_version, :factor_1e4, :paid_until_us, :version, :seq
)
ON CONFLICT (id) DO UPDATE SET
    credential_kind = excluded.credential_kind, subject = excluded.subject, type = excluded.type,
    state = excluded.state, lane = excluded.lane, admitted_us = excluded.admitted_us, entered_us = excluded.entered_us,
    left_us = excluded.left_us, claim = excluded.claim, over_count = excluded.over_count,
    tariff_version = excluded.tariff_version, factor_1e4 = excluded.factor_1e4, paid_until_us = excluded.paid_until_us,
    version = excluded.version, seq = excluded.seq
WHERE excluded.version > stays.version;

-- name: put_plate
-- The encrypted plate of a stay.
UPDATE stays SET plate_encrypted = :plate_encrypted WHERE id = :stay;

-- name: read_plate
-- The encrypted plate of a stay.
SELECT plate_encrypted FROM stays WHERE id = :stay;

-- name: read_stays
-- The stays that are open, and the closed ones of the last while: a vehicle may come back to the reader.
SELECT
    id, credential_kind, subject, type, state, lane, admitted_us, entered_us, left_us, claim, over_count,
    tariff_version, factor_1e4, paid_until_us, version
FROM stays
WHERE state IN ('admitted', 'inside') OR coalesce(left_us, admitted_us) >= :closed_since_us
ORDER BY admitted_us;

-- name: put_demand
-- A demand; it never changes.
INSERT INTO demands (id, stay, amount_minor, currency, from_us, to_us, lines, made_us, seq)
VALUES (:id, :stay, :amount_minor, :currency, :from_us, :to_us, :lines, :made_us, :seq)
ON CONFLICT (id) DO NOTHING;

-- name: read_demands
-- The demands of the stays that `read_stays` answers with, and those of which nobody knows whether they were paid.
SELECT id, stay, amount_minor, currency, from_us, to_us, lines, made_us
FROM demands
WHERE stay IN (
    SELECT id FROM stays WHERE state IN ('admitted', 'inside') OR coalesce(left_us, admitted_us) >= :closed_since_us
) OR id IN (SELECT demand FROM payments WHERE state = 'pending')
ORDER BY made_us;

-- name: put_payment
-- A payment, where its version is higher than the stored one.
INSERT INTO payments (id, demand, amount_minor, currency, state, terminal, reference, changed_us, version, seq)
VALUES (:id, :demand, :amount_minor, :currency, :state, :terminal, :reference, :changed_us, :version, :seq)
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, terminal = excluded.terminal, reference = excluded.reference, changed_us = excluded.changed_us,
    version = excluded.version, seq = excluded.seq
WHERE excluded.version > payments.version;

-- name: read_payments
-- The payments of the demands that `read_demands` answers with.
SELECT id, demand, amount_minor, currency, state, terminal, reference, changed_us, version
FROM payments
WHERE state = 'pending' OR demand IN (
    SELECT d.id FROM demands AS d INNER JOIN stays AS s ON d.stay = s.id
    WHERE s.state IN ('admitted', 'inside') OR coalesce(s.left_us, s.admitted_us) >= :closed_since_us
)
ORDER BY changed_us;

-- name: append_log
-- One fact, numbered and chained.
INSERT INTO log (epoch, seq, previous_hash, hash, boot, monotonic_us, kind, body)
VALUES (:epoch, :seq, :previous_hash, :hash, :boot, :monotonic_us, :kind, :body);

-- name: last_row
-- The end of an epoch's log.
SELECT seq, hash FROM log WHERE epoch = :epoch ORDER BY seq DESC LIMIT 1;

-- name: log_page
-- Rows after a sequence, in order, as they were stored.
SELECT seq, previous_hash, hash, body FROM log WHERE epoch = :epoch AND seq > :after_seq ORDER BY seq LIMIT :limit;

-- name: oldest_row
-- The first row of an epoch's log that is still here.
SELECT min(seq) AS seq FROM log WHERE epoch = :epoch;

-- name: hash_at
-- The hash of one row.
SELECT hash FROM log WHERE epoch = :epoch AND seq = :seq;

-- name: rewrite_log
-- Chain one row anew: a damaged row before it was kept aside, and nobody has acknowledged either.
UPDATE log SET previous_hash = :previous_hash, hash = :hash, kind = :kind, body = :body WHERE epoch = :epoch AND seq = :seq;

-- name: put_acknowledgement
-- How far the centre had applied the log in this hour.
INSERT INTO acknowledgements (epoch, hour, seq) VALUES (:epoch, :hour, :seq)
ON CONFLICT (epoch, hour) DO UPDATE SET seq = max(seq, excluded.seq);

-- name: acknowledged_before
-- The last row that was acknowledged in an hour before this one.
SELECT max(seq) AS seq FROM acknowledgements WHERE epoch = :epoch AND hour < :hour;

-- name: drop_log
-- Rows that were acknowledged long ago, the oldest first.
DELETE FROM log WHERE id IN (SELECT id FROM log WHERE epoch = :epoch AND seq <= :seq ORDER BY seq LIMIT :limit);

-- name: drop_acknowledgements
-- The hours that retention has passed, but for the last of them: it says how far the log may go.
DELETE FROM acknowledgements WHERE epoch = :epoch AND hour < (
    SELECT max(hour) FROM acknowledgements WHERE epoch = :epoch AND hour < :hour
);

-- name: drop_claims
-- Released claims that go with their last log row.
DELETE FROM claims WHERE state = 'released' AND seq <= :seq;

-- name: drop_payments
-- Payments of stays that closed, and of bookings once it is known what became of them, up to an acknowledged row.
DELETE FROM payments WHERE id IN (
    SELECT p.id FROM payments AS p INNER JOIN demands AS d ON p.demand = d.id LEFT JOIN stays AS s ON d.stay = s.id
    WHERE p.seq <= :seq AND ((s.state IN ('left', 'void') AND s.seq <= :seq) OR (s.id IS NULL AND p.state <> 'pending'))
);

-- name: drop_demands
-- The demands that those leave, up to an acknowledged row.
DELETE FROM demands WHERE (
    stay IN (SELECT id FROM stays WHERE state IN ('left', 'void') AND seq <= :seq)
    OR NOT EXISTS (SELECT 1 FROM stays WHERE id = demands.stay)
) AND NOT EXISTS (SELECT 1 FROM payments WHERE demand = demands.id) AND seq <= :seq;

-- name: drop_stays
-- Closed stays that go with their last log row.
DELETE FROM stays WHERE state IN ('left', 'void') AND seq <= :seq
AND NOT EXISTS (SELECT 1 FROM demands WHERE stay = stays.id);

-- name: forget_plates
-- Plates of stays that closed before an instant: personal data goes first.
UPDATE stays SET plate_encrypted = NULL
WHERE plate_encrypted IS NOT NULL AND state IN ('left', 'void') AND coalesce(left_us, admitted_us) < :before_us;

-- name: put_spot_state
-- The last word of one writer on one spot.
INSERT INTO spot_states (spot, writer, n, seen, state, source, occurred_us, confidence_1e4)
VALUES (:spot, :writer, :n, :seen, :state, :source, :occurred_us, :confidence_1e4)
ON CONFLICT (spot, writer) DO UPDATE SET
    n = excluded.n, seen = excluded.seen, state = excluded.state, source = excluded.source, occurred_us = excluded.occurred_us,
    confidence_1e4 = excluded.confidence_1e4
WHERE excluded.n > spot_states.n;

-- name: mark_uploaded
-- The centre has stored this word.
UPDATE spot_states SET uploaded = max(uploaded, :n) WHERE spot = :spot AND writer = :writer;

-- name: read_spot_states
-- Every last word.
SELECT spot, writer, n, seen, state, source, occurred_us, confidence_1e4, uploaded FROM spot_states;

-- name: put_reading_key
-- A message that has been taken.
INSERT INTO reading_keys (source, key) VALUES (:source, :key) ON CONFLICT (source, key) DO NOTHING;

-- name: trim_reading_keys
-- Only the newest keys are kept: a source repeats what is young.
DELETE FROM reading_keys WHERE id <= (SELECT max(id) FROM reading_keys) - :keep;

-- name: read_reading_keys
-- Every key, the oldest first.
SELECT source, key FROM reading_keys ORDER BY id;

-- name: put_document
-- What the centre decided.
INSERT INTO documents (n, kind, body) VALUES (:n, :kind, :body) ON CONFLICT (n) DO NOTHING;

-- name: drop_documents
-- Only the newest documents of a kind are needed.
DELETE FROM documents
WHERE n NOT IN (SELECT n FROM documents AS d WHERE d.kind = documents.kind ORDER BY n DESC LIMIT :keep);

-- name: read_documents
-- Every document, in order.
SELECT n, kind, body FROM documents ORDER BY n;

-- name: put_conflict
-- Two promises that clash.
INSERT INTO conflicts (claim, other, detail, at_us) VALUES (:claim, :other, :detail, :at_us);

-- name: put_quarantine
-- Something that could not be understood, kept aside.
INSERT INTO quarantine (source, field, problem, digest, at_us, raw) VALUES (:source, :field, :problem, :digest, :at_us, :raw);

-- name: trim_quarantine
-- Only the newest of what was kept aside from devices; a record of our own stays.
DELETE FROM quarantine WHERE source <> 'log' AND id <= (SELECT max(id) FROM quarantine) - :keep;

-- name: count_quarantine
-- How much was kept aside.
SELECT count(*) AS rows, max(at_us) AS last_us FROM quarantine;

-- name: last_quarantine
-- The newest of what was kept aside.
SELECT source, field, problem, at_us FROM quarantine ORDER BY id DESC LIMIT :limit;

-- name: put_transaction
-- How far a transaction of the commit is here; the last word stands.
INSERT INTO transactions (
    reservation, revision, state, claim, type, starts_us, ends_us, epoch, prepared_us, log_seq_before, ended_by, reason, seq,
    changed_us
) VALUES (
    :reservation, :revision, :state, :claim, :type, :starts_us, :ends_us, :epoch, :prepared_us, :log_seq_before, :ended_by,
    :reason, :seq, :changed_us
)
ON CONFLICT (reservation, revision) DO UPDATE SET
    state = excluded.state, claim = excluded.claim, type = excluded.type, starts_us = excluded.starts_us, ends_us = excluded.ends_us,
    epoch = excluded.epoch, prepared_us = excluded.prepared_us, log_seq_before = excluded.log_seq_before,
    ended_by = excluded.ended_by, reason = excluded.reason, seq = excluded.seq, changed_us = excluded.changed_us;

-- name: read_transactions
-- Every transaction that is kept, the oldest first.
SELECT
    reservation, revision, state, claim, type, starts_us, ends_us, epoch, prepared_us, log_seq_before, ended_by, reason
FROM transactions ORDER BY coalesce(prepared_us, changed_us), reservation, revision;

-- name: drop_transactions
-- Transactions whose window (or, where nothing was held, whose last word) lies before an instant; a doubt is never dropped.
DELETE FROM transactions
WHERE state NOT IN ('prep', 'comm_by_hand', 'abrt_by_hand') AND max(coalesce(ends_us, 0), changed_us) < :before_us;

-- name: put_owner
-- A spot changes hands.
UPDATE spots SET owner = :owner WHERE id = :spot;

-- name: put_transfer
-- How far a transfer is here; the row that told it first keeps its number.
INSERT INTO transfers (id, epoch, to_tier, type, spots, state, seq)
VALUES (:id, :epoch, :to_tier, :type, :spots, :state, :seq)
ON CONFLICT (id) DO UPDATE SET state = excluded.state;

-- name: read_transfers
-- Every transfer that is kept.
SELECT id, epoch, to_tier, type, spots, state, seq FROM transfers ORDER BY epoch, seq, id;

-- name: drop_transfers
-- Transfers that are over go with their log row.
DELETE FROM transfers WHERE state = 'credited' AND seq <= :seq;

-- name: put_token_seen
-- The highest revision of a token that was presented here.
INSERT INTO tokens_seen (kind, subject, revision, at_us) VALUES (:kind, :subject, :revision, :at_us)
ON CONFLICT (kind, subject) DO UPDATE SET revision = excluded.revision, at_us = excluded.at_us
WHERE excluded.revision > tokens_seen.revision;

-- name: drop_tokens_seen
-- Tokens that nobody has presented for a long time.
DELETE FROM tokens_seen WHERE at_us < :before_us;

-- name: read_tokens_seen
-- Every token's highest revision.
SELECT kind, subject, revision FROM tokens_seen;

-- name: count_rows
-- The size of everything that can grow.
SELECT
    (SELECT count(*) FROM claims WHERE state <> 'released') AS claims,
    (SELECT count(*) FROM stays WHERE state IN ('admitted', 'inside')) AS open_stays,
    (SELECT count(*) FROM spot_states) AS spot_states,
    (SELECT count(*) FROM conflicts) AS conflicts;
