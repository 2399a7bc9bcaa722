"""Reservations: the coordinator's decision log, one row for each revision of each booking.

A row is kept until its window's end + 30 days. COMMITTED and ABORTED are absorbing, which a trigger holds: whatever a program believes, what
was decided stays decided. Protocol deadlines are by the database's own clock, through `protocol_now()` alone, which a simulation replaces.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CLOCK = """
-- The clock of protocol deadlines and leases. Not now(): who waited for a lock must see how late it has become.
CREATE FUNCTION protocol_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';
"""

RESERVATIONS = """
-- lot_id … type are empty where an inquiry wrote the ABORTED. state is the protocol's word (sync/coordinator.py), status the customer's.
-- ballots: the lots that are asked or told; own_claims: claims on spots of the cloud's own. untold: a lot has not acknowledged.
-- told_n: the decision's number in the list of the lot's gateway. link_session: the session of the moment of the begin.
CREATE TABLE reservations (
    id            uuid NOT NULL,
    revision      integer NOT NULL,
    lot_id        uuid,
    user_name     text,
    type          text,
    spot_id       uuid,
    starts_at     timestamptz,
    ends_at       timestamptz,
    guarantee     text NOT NULL DEFAULT 'type',
    state         text NOT NULL,
    status        text,
    reason        text NOT NULL DEFAULT '',
    deadline_at   timestamptz,
    lease_holder  text NOT NULL DEFAULT '',
    lease_token   integer NOT NULL DEFAULT 0,
    lease_until   timestamptz,
    ballots       jsonb NOT NULL DEFAULT '[]',
    own_claims    jsonb NOT NULL DEFAULT '[]',
    untold        boolean NOT NULL DEFAULT false,
    told_n        integer,
    link_session  bigint,
    superseded    boolean NOT NULL DEFAULT false,
    quote         jsonb,
    amount_minor  bigint,
    currency      text,
    payment_id    uuid,
    request_hash  bytea,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reservations_pkey PRIMARY KEY (id, revision),
    CONSTRAINT reservations_state_known CHECK (state IN ('draft', 'preparing', 'committed', 'aborted', 'withheld')),
    CONSTRAINT reservations_status_known CHECK (status IN ('draft', 'active', 'in_use', 'cancel_pending', 'cancelled', 'completed',
        'displaced', 'refused')),
    CONSTRAINT reservations_guarantee_known CHECK (guarantee IN ('type', 'spot')),
    CONSTRAINT reservations_window_not_empty CHECK (starts_at < ends_at),
    CONSTRAINT reservations_preparing_has_a_deadline CHECK (state <> 'preparing' OR deadline_at IS NOT NULL),
    CONSTRAINT reservations_counted_from_one CHECK (revision >= 1)
);
CREATE INDEX reservations_by_user ON reservations (user_name, created_at);
CREATE INDEX reservations_undecided_by_deadline ON reservations (deadline_at) WHERE state IN ('draft', 'preparing');
CREATE INDEX reservations_preparing_by_lot ON reservations (lot_id) WHERE state = 'preparing';
CREATE INDEX reservations_untold_by_lot ON reservations (lot_id) WHERE untold;
CREATE INDEX reservations_active_by_start ON reservations (starts_at) WHERE status IN ('active', 'in_use', 'cancel_pending');

CREATE FUNCTION reservations_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('committed', 'aborted') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'reservation %#% is %: that is never undone', OLD.id, OLD.revision, OLD.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reservations_decided_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reservations_are_decided_once BEFORE UPDATE OF state ON reservations
    FOR EACH ROW EXECUTE FUNCTION reservations_decided_once();
"""

CONFLICTS = """
ALTER TABLE conflicts
    DROP CONSTRAINT conflicts_kind_known,
    ADD CONSTRAINT conflicts_kind_known
        CHECK (kind IN ('claims_overlap', 'reported_by_gateway', 'pass_without_commit', 'booking_met_by_fact',
            'decided_otherwise_by_hand'));
"""


def upgrade() -> None:
    for part in (CLOCK, RESERVATIONS, CONFLICTS):
        op.execute(part)
