"""Transfers: spots on their way between a lot and the centre, and how many of each type the centre is to own.

A transfer's row is written in the transaction that debits the sender, and is kept: that is how a repeated one is known. A spot in flight names
its transfer, which a constraint holds, so that no right to sell can get lost between the two without being seen.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TRANSFERS = """
-- to_tier is the receiver. What comes from a lot is credited by the row of its log that tells it, so it is never in flight here. request is
-- the lot's question that a transfer answers, '' where the centre gave unasked.
CREATE TABLE transfers (
    id           uuid NOT NULL,
    region       text NOT NULL DEFAULT 'default',
    lot_id       uuid NOT NULL,
    gateway_id   text NOT NULL,
    epoch        integer NOT NULL,
    to_tier      text NOT NULL,
    type         text NOT NULL,
    spots        uuid[] NOT NULL,
    state        text NOT NULL,
    request      text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT transfers_pkey PRIMARY KEY (id),
    CONSTRAINT transfers_lot FOREIGN KEY (region, lot_id) REFERENCES parking_lots (region, id),
    CONSTRAINT transfers_state_known CHECK (state IN ('in_flight', 'credited', 'stranded')),
    CONSTRAINT transfers_to_a_tier CHECK (to_tier = 'edge' OR (to_tier = 'cloud' AND state = 'credited')),
    CONSTRAINT transfers_move_spots CHECK (cardinality(spots) BETWEEN 1 AND 500)
);
CREATE UNIQUE INDEX transfers_answer_once ON transfers (lot_id, epoch, request) WHERE request <> '';
CREATE INDEX transfers_open_by_lot ON transfers (lot_id) WHERE state <> 'credited';
-- The audit reads them out of logs of many thousand rows.
CREATE INDEX gateway_inbox_transfers ON gateway_inbox (gateway_id, epoch, seq) WHERE kind IN ('transfer_out', 'transfer_in');

-- In 1/10,000 of a lot's spots of a type; a type without a row has the default (sync/ownership.py).
CREATE TABLE cloud_shares (
    lot_id      uuid NOT NULL,
    type        text NOT NULL,
    share_1e4   integer NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT cloud_shares_pkey PRIMARY KEY (lot_id, type),
    CONSTRAINT cloud_shares_a_part CHECK (share_1e4 BETWEEN 0 AND 10000)
);

ALTER TABLE parking_spots
    ADD COLUMN transfer_id uuid,
    ADD CONSTRAINT parking_spots_in_flight_by_a_transfer CHECK ((owner = 'in_flight') = (transfer_id IS NOT NULL));
"""

CONFLICTS = """
ALTER TABLE conflicts
    DROP CONSTRAINT conflicts_kind_known,
    ADD CONSTRAINT conflicts_kind_known
        CHECK (kind IN ('claims_overlap', 'reported_by_gateway', 'pass_without_commit', 'booking_met_by_fact',
            'decided_otherwise_by_hand', 'ownership_broken'));
"""


def upgrade() -> None:
    for part in (TRANSFERS, CONFLICTS):
        op.execute(part)
