"""One lot, its agent and its log: what issue 3 needs.

Lots, spots and claims carry their region in the key and are partitioned by it, one default partition for now: PostgreSQL 15 has
no exclusion constraint over a partitioned table, and every spot has one region, so that the constraint of each
partition speaks for all.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EXTENSIONS = """
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS btree_gist;
"""

PARKING_LOTS = """
CREATE TABLE operators (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT operators_name_once UNIQUE (name)
);

-- A lot is announced by its gateway's enrolment or an import; location and the rest come with its first layout.
CREATE TABLE parking_lots (
    region             text NOT NULL DEFAULT 'default',
    id                 uuid NOT NULL,
    operator_id        uuid CONSTRAINT parking_lots_operator REFERENCES operators (id),
    name               text NOT NULL,
    address            text NOT NULL DEFAULT '',
    location           geography(Point, 4326),
    timezone           text NOT NULL DEFAULT 'UTC',
    currency           text NOT NULL DEFAULT 'EUR',
    total_spots        integer NOT NULL DEFAULT 0,
    hourly_rate_minor  bigint,
    amenities          jsonb NOT NULL DEFAULT '{}',
    operating_hours    jsonb,
    policy             jsonb NOT NULL DEFAULT '{}',
    lanes              jsonb NOT NULL DEFAULT '[]',
    source             text NOT NULL,
    source_reference   text,
    layout_hash        bytea,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT parking_lots_pkey PRIMARY KEY (region, id),
    CONSTRAINT parking_lots_currency_is_iso CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT parking_lots_spots_not_negative CHECK (total_spots >= 0),
    CONSTRAINT parking_lots_source_known CHECK (source IN ('gateway', 'import', 'staff'))
) PARTITION BY LIST (region);
CREATE TABLE parking_lots_default PARTITION OF parking_lots DEFAULT;
CREATE INDEX parking_lots_by_id ON parking_lots (id);
CREATE INDEX parking_lots_by_location ON parking_lots USING gist (location);
CREATE INDEX parking_lots_by_operator ON parking_lots (operator_id);
CREATE INDEX parking_lots_by_reference ON parking_lots (source, source_reference);

CREATE TABLE zones (
    lot_id       uuid NOT NULL,
    region       text NOT NULL DEFAULT 'default',
    id           text NOT NULL,
    level        text NOT NULL,
    kind         text NOT NULL,
    enforced_by  text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT zones_pkey PRIMARY KEY (lot_id, id),
    CONSTRAINT zones_lot FOREIGN KEY (region, lot_id) REFERENCES parking_lots (region, id) ON DELETE CASCADE,
    CONSTRAINT zones_kind_known CHECK (kind IN ('free_choice', 'assigned')),
    CONSTRAINT zones_assigned_is_enforced CHECK ((kind = 'assigned') = (enforced_by IS NOT NULL))
);

-- sensor_…: the last state that the lot's own sensors told; (sensor_epoch, sensor_n) only grows.
CREATE TABLE parking_spots (
    region                 text NOT NULL DEFAULT 'default',
    id                     uuid NOT NULL,
    lot_id                 uuid NOT NULL,
    zone_id                text NOT NULL,
    number                 text NOT NULL,
    ordinal                integer NOT NULL,
    type                   text NOT NULL,
    level                  text NOT NULL,
    owner                  text NOT NULL DEFAULT 'edge',
    location               geography(Point, 4326),
    is_available           boolean,
    sensor_state           text NOT NULL DEFAULT 'unknown',
    sensor_source          text,
    sensor_epoch           integer NOT NULL DEFAULT 0,
    sensor_n               bigint NOT NULL DEFAULT 0,
    sensor_confidence_1e4  integer NOT NULL DEFAULT 0,
    sensor_occurred_at     timestamptz,
    sensor_received_at     timestamptz,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT parking_spots_pkey PRIMARY KEY (region, id),
    CONSTRAINT parking_spots_number_once UNIQUE (region, lot_id, number),
    CONSTRAINT parking_spots_lot FOREIGN KEY (region, lot_id) REFERENCES parking_lots (region, id) ON DELETE CASCADE,
    CONSTRAINT parking_spots_type_known CHECK (type IN ('regular', 'compact', 'disabled', 'ev', 'motorcycle')),
    CONSTRAINT parking_spots_owner_known CHECK (owner IN ('edge', 'cloud', 'in_flight')),
    CONSTRAINT parking_spots_state_known CHECK (sensor_state IN ('occupied', 'free', 'unknown'))
) PARTITION BY LIST (region);
CREATE TABLE parking_spots_default PARTITION OF parking_spots DEFAULT
    WITH (fillfactor = 80);
CREATE INDEX parking_spots_by_lot ON parking_spots (lot_id, ordinal);
CREATE INDEX parking_spots_by_location ON parking_spots USING gist (location) WHERE location IS NOT NULL;

-- Sellable now: what the ledger says may be sold, never what the sensors see. reported_… is the gateway's own snapshot, shown while
-- it knows of more of the log than is applied here.
CREATE TABLE lot_counts (
    region                text NOT NULL DEFAULT 'default',
    lot_id                uuid NOT NULL,
    type                  text NOT NULL,
    owner                 text NOT NULL DEFAULT 'edge',
    total                 integer NOT NULL,
    sellable              integer NOT NULL,
    holds_until           timestamptz,
    as_of_seq             bigint NOT NULL DEFAULT 0,
    reported_total        integer,
    reported_sellable     integer,
    reported_holds_until  timestamptz,
    reported_as_of_seq    bigint,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT lot_counts_pkey PRIMARY KEY (lot_id, type, owner),
    CONSTRAINT lot_counts_lot FOREIGN KEY (region, lot_id) REFERENCES parking_lots (region, id) ON DELETE CASCADE,
    CONSTRAINT lot_counts_within_total CHECK (0 <= sellable AND sellable <= total),
    CONSTRAINT lot_counts_reported_within_total
        CHECK (reported_sellable IS NULL OR (0 <= reported_sellable AND reported_sellable <= reported_total))
) WITH (fillfactor = 70);
CREATE INDEX lot_counts_by_end ON lot_counts (holds_until) WHERE holds_until IS NOT NULL;

CREATE VIEW lot_counts_shown AS
SELECT region, lot_id, type, owner,
       CASE WHEN ahead THEN reported_total ELSE total END AS total,
       CASE WHEN ahead THEN reported_sellable ELSE sellable END AS sellable,
       CASE WHEN ahead THEN reported_holds_until ELSE holds_until END AS holds_until,
       CASE WHEN ahead THEN reported_as_of_seq ELSE as_of_seq END AS as_of_seq,
       ahead AS is_reported,
       updated_at
  FROM (SELECT *, coalesce(reported_as_of_seq > as_of_seq, false) AS ahead FROM lot_counts) AS counts;
"""

CLAIMS_AND_STAYS = """
CREATE TABLE claims (
    region       text NOT NULL DEFAULT 'default',
    id           uuid NOT NULL,
    lot_id       uuid NOT NULL,
    spot_id      uuid,
    type         text NOT NULL,
    during       tstzrange NOT NULL,
    kind         text NOT NULL,
    holder_kind  text NOT NULL,
    holder_id    text NOT NULL,
    state        text NOT NULL,
    sold_by      text NOT NULL,
    epoch        integer NOT NULL,
    revision     integer NOT NULL,
    version      integer NOT NULL,
    clashing     boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT claims_pkey PRIMARY KEY (region, id),
    CONSTRAINT claims_lot FOREIGN KEY (region, lot_id) REFERENCES parking_lots (region, id),
    CONSTRAINT claims_window_not_empty CHECK (NOT isempty(during)),
    CONSTRAINT claims_kind_known CHECK (kind IN ('booking', 'walk_in', 'permit', 'block', 'burn')),
    CONSTRAINT claims_state_known CHECK (state IN ('held', 'firm', 'released')),
    CONSTRAINT claims_sold_by_known CHECK (sold_by IN ('edge', 'cloud'))
) PARTITION BY LIST (region);
-- Not deferrable: ON CONFLICT needs that. A clashing fact stands outside, and is in `conflicts`.
CREATE TABLE claims_default PARTITION OF claims (
    CONSTRAINT claims_never_overlap EXCLUDE USING gist (spot_id WITH =, during WITH &&)
        WHERE (state IN ('held', 'firm') AND NOT clashing)
) DEFAULT;
CREATE INDEX claims_unreleased_by_lot ON claims (lot_id, type) WHERE state IN ('held', 'firm');
CREATE INDEX claims_clashing_by_lot ON claims (lot_id) WHERE clashing AND state IN ('held', 'firm');

-- Facts, under no constraint but their key.
CREATE TABLE stays (
    id                  uuid NOT NULL,
    region              text NOT NULL DEFAULT 'default',
    lot_id              uuid NOT NULL,
    gateway_id          text NOT NULL,
    epoch               integer NOT NULL,
    credential_kind     text NOT NULL,
    credential_subject  text NOT NULL,
    type                text NOT NULL,
    state               text NOT NULL,
    lane                text NOT NULL,
    admitted_at         timestamptz NOT NULL,
    entered_at          timestamptz,
    left_at             timestamptz,
    claim_id            uuid,
    over_count          boolean NOT NULL DEFAULT false,
    tariff_version      text NOT NULL,
    factor_1e4          integer NOT NULL,
    paid_until          timestamptz,
    version             integer NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stays_pkey PRIMARY KEY (id),
    CONSTRAINT stays_lot FOREIGN KEY (region, lot_id) REFERENCES parking_lots (region, id),
    CONSTRAINT stays_state_known CHECK (state IN ('admitted', 'inside', 'left', 'void'))
);
CREATE INDEX stays_open_by_lot ON stays (lot_id) WHERE state IN ('admitted', 'inside');
CREATE INDEX stays_by_lot_and_time ON stays (lot_id, admitted_at);

CREATE TABLE conflicts (
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    region       text NOT NULL DEFAULT 'default',
    lot_id       uuid NOT NULL,
    kind         text NOT NULL,
    claim_id     uuid,
    other_id     uuid,
    spot_id      uuid,
    gateway_id   text,
    epoch        integer,
    detail       jsonb NOT NULL DEFAULT '{}',
    resolved_at  timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT conflicts_pkey PRIMARY KEY (id),
    CONSTRAINT conflicts_kind_known CHECK (kind IN ('claims_overlap', 'reported_by_gateway'))
);
CREATE INDEX conflicts_by_lot ON conflicts (lot_id, created_at);
CREATE INDEX conflicts_open_by_claim ON conflicts (claim_id) WHERE resolved_at IS NULL;
"""

PAYMENTS = """
CREATE TABLE demands (
    id            uuid NOT NULL,
    lot_id        uuid NOT NULL,
    stay_id       uuid NOT NULL,
    amount_minor  bigint NOT NULL,
    currency      text NOT NULL,
    from_at       timestamptz NOT NULL,
    to_at         timestamptz NOT NULL,
    lines         jsonb NOT NULL,
    made_at       timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT demands_pkey PRIMARY KEY (id),
    CONSTRAINT demands_not_negative CHECK (amount_minor >= 0)
);
CREATE INDEX demands_by_stay ON demands (stay_id);

CREATE TABLE payments (
    id                        uuid NOT NULL,
    lot_id                    uuid NOT NULL,
    demand_id                 uuid NOT NULL,
    user_id                   uuid,
    amount_minor              bigint NOT NULL,
    currency                  text NOT NULL,
    status                    text NOT NULL,
    terminal                  text,
    reference                 text,
    stripe_payment_intent_id  text,
    changed_at                timestamptz NOT NULL,
    version                   integer NOT NULL,
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payments_pkey PRIMARY KEY (id),
    CONSTRAINT payments_not_negative CHECK (amount_minor >= 0),
    CONSTRAINT payments_status_known CHECK (status IN ('pending', 'authorised', 'completed', 'failed', 'refunded'))
);
CREATE INDEX payments_by_demand ON payments (demand_id);
CREATE INDEX payments_by_user ON payments (user_id, status);
"""

GATEWAYS = """
-- One writer per (epoch, session): every transaction that applies something locks this row and compares both.
CREATE TABLE gateways (
    id                 text NOT NULL,
    region             text NOT NULL DEFAULT 'default',
    lot_id             uuid NOT NULL,
    public_key         bytea NOT NULL,
    epoch              integer NOT NULL,
    session            bigint NOT NULL DEFAULT 0,
    state              text NOT NULL DEFAULT 'ok',
    state_reason       text NOT NULL DEFAULT '',
    acknowledged_seq   bigint NOT NULL DEFAULT 0,
    acknowledged_hash  bytea NOT NULL,
    events_applied     bigint NOT NULL DEFAULT 0,
    events_quarantined bigint NOT NULL DEFAULT 0,
    last_seq           bigint NOT NULL DEFAULT 0,
    backlog            bigint NOT NULL DEFAULT 0,
    unexplained        integer NOT NULL DEFAULT 0,
    lane_states        jsonb NOT NULL DEFAULT '{}',
    boot               text,
    software           text,
    clock_quality      text,
    connected_at       timestamptz,
    disconnected_at    timestamptz,
    last_heard_at      timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateways_pkey PRIMARY KEY (id),
    CONSTRAINT gateways_lot FOREIGN KEY (region, lot_id) REFERENCES parking_lots (region, id),
    CONSTRAINT gateways_epoch_once UNIQUE (lot_id, epoch),
    CONSTRAINT gateways_state_known CHECK (state IN ('ok', 'fenced', 'quarantined', 'replaced')),
    CONSTRAINT gateways_key_is_ed25519 CHECK (octet_length(public_key) = 32)
) WITH (fillfactor = 70);

CREATE TABLE enrolment_codes (
    code_hash   bytea NOT NULL,
    region      text NOT NULL DEFAULT 'default',
    lot_id      uuid NOT NULL,
    gateway_id  text,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT enrolment_codes_pkey PRIMARY KEY (code_hash)
);

-- The insert into this table is the only thing that keeps an event from being applied twice.
CREATE TABLE gateway_inbox (
    gateway_id   text NOT NULL,
    epoch        integer NOT NULL,
    seq          bigint NOT NULL,
    hash         bytea NOT NULL,
    body         bytea NOT NULL,
    kind         text NOT NULL,
    occurred_at  timestamptz,
    outcome      text NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateway_inbox_pkey PRIMARY KEY (gateway_id, epoch, seq),
    CONSTRAINT gateway_inbox_outcome_known CHECK (outcome IN ('applied', 'stored', 'quarantined'))
);

-- What could not be understood or stored as what it says it is; the raw bytes are the inbox's.
CREATE TABLE gateway_quarantine (
    gateway_id  text NOT NULL,
    epoch       integer NOT NULL,
    seq         bigint NOT NULL,
    field       text NOT NULL,
    problem     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateway_quarantine_pkey PRIMARY KEY (gateway_id, epoch, seq)
);

CREATE TABLE gateway_documents (
    gateway_id       text NOT NULL,
    n                integer NOT NULL,
    kind             text NOT NULL,
    body             bytea NOT NULL,
    acknowledged_at  timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateway_documents_pkey PRIMARY KEY (gateway_id, n),
    CONSTRAINT gateway_documents_gateway FOREIGN KEY (gateway_id) REFERENCES gateways (id),
    CONSTRAINT gateway_documents_numbered_from_one CHECK (n >= 1)
);

CREATE TABLE tariffs (
    lot_id      uuid NOT NULL,
    version     text NOT NULL,
    valid_from  timestamptz NOT NULL,
    body        bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tariffs_pkey PRIMARY KEY (lot_id, version)
);
"""

EVENTS = """
-- Written with what it tells in one transaction. Transactions about one lot hold its gateway's row, so that n grows in the
-- order of their commits within a lot.
CREATE TABLE event_outbox (
    n           bigint GENERATED ALWAYS AS IDENTITY,
    lot_id      uuid NOT NULL,
    kind        text NOT NULL,
    body        jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT event_outbox_pkey PRIMARY KEY (n)
);
CREATE INDEX event_outbox_by_lot ON event_outbox (lot_id, n);

-- NOTIFY is delivered at the commit; equal notices of one transaction are sent once.
CREATE FUNCTION event_outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('lotgate_events', lot_id::text) FROM (SELECT DISTINCT lot_id FROM added) AS lots;
    RETURN NULL;
END $$;
CREATE TRIGGER event_outbox_is_announced AFTER INSERT ON event_outbox
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION event_outbox_notify();

CREATE TABLE audit_log (
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    actor       text NOT NULL,
    action      text NOT NULL,
    subject     text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    detail      jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_log_pkey PRIMARY KEY (id)
);
CREATE INDEX audit_log_by_time ON audit_log (created_at);

CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END $$;
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_refuse();
"""


def upgrade() -> None:
    for part in (EXTENSIONS, PARKING_LOTS, CLAIMS_AND_STAYS, PAYMENTS, GATEWAYS, EVENTS):
        op.execute(part)
