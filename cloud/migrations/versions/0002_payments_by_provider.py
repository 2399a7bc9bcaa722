"""Payments over a provider: how the money of a reservation stands there, refunds, the provider's events, receivables.

Only ids of the provider are kept, nothing of a card. What a lot's terminal took stays as it is, with `standing` null.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PAYMENTS = """
-- standing: the state of sync/payment.py. due_at: when somebody should look again, by the database's clock.
-- lapses_at: the civil instant at which the hold on the money ends.
ALTER TABLE payments
    ALTER COLUMN demand_id DROP NOT NULL,
    ADD COLUMN reservation_id  uuid,
    ADD COLUMN standing        text,
    ADD COLUMN create_attempt  integer NOT NULL DEFAULT 1,
    ADD COLUMN captured_minor  bigint NOT NULL DEFAULT 0,
    ADD COLUMN lapses_at       timestamptz,
    ADD COLUMN refusal         text NOT NULL DEFAULT '',
    ADD COLUMN due_at          timestamptz,
    ADD COLUMN unanswered      integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT payments_are_for_something CHECK (demand_id IS NOT NULL OR reservation_id IS NOT NULL),
    ADD CONSTRAINT payments_captured_not_negative CHECK (captured_minor >= 0),
    ADD CONSTRAINT payments_standing_known CHECK (standing IN ('creating', 'abandoned', 'none', 'authorised', 'declined',
        'capturing', 'captured', 'voiding', 'void', 'receivable', 'refunding', 'refunded'));
CREATE UNIQUE INDEX payments_intent_once ON payments (stripe_payment_intent_id) WHERE stripe_payment_intent_id IS NOT NULL;
CREATE INDEX payments_by_reservation ON payments (reservation_id) WHERE reservation_id IS NOT NULL;
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
"""

REFUNDS = """
-- id is ours: given before the provider is asked. One that the provider's own console made has an id drawn from the provider's.
CREATE TABLE refunds (
    id                uuid NOT NULL,
    payment_id        uuid NOT NULL,
    amount_minor      bigint NOT NULL,
    state             text NOT NULL,
    reason            text NOT NULL DEFAULT '',
    stripe_refund_id  text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refunds_pkey PRIMARY KEY (id),
    CONSTRAINT refunds_payment FOREIGN KEY (payment_id) REFERENCES payments (id),
    CONSTRAINT refunds_provider_id_once UNIQUE (stripe_refund_id),
    CONSTRAINT refunds_of_something CHECK (amount_minor > 0),
    CONSTRAINT refunds_state_known CHECK (state IN ('asked', 'pending', 'succeeded', 'failed'))
);
CREATE INDEX refunds_by_payment ON refunds (payment_id);
"""

EVENTS = """
-- The provider's webhooks, once each: the insert into this table is the only thing that tells a repeated one.
CREATE TABLE payment_events (
    id           text NOT NULL,
    kind         text NOT NULL,
    intent_id    text,
    outcome      text NOT NULL,
    made_at      timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_events_pkey PRIMARY KEY (id)
);
CREATE INDEX payment_events_by_time ON payment_events (created_at);

-- The place was kept and the money did not come.
CREATE TABLE receivables (
    payment_id    uuid NOT NULL,
    amount_minor  bigint NOT NULL,
    currency      text NOT NULL,
    reason        text NOT NULL,
    settled_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT receivables_pkey PRIMARY KEY (payment_id),
    CONSTRAINT receivables_payment FOREIGN KEY (payment_id) REFERENCES payments (id)
);
CREATE INDEX receivables_open ON receivables (created_at) WHERE settled_at IS NULL;
"""


def upgrade() -> None:
    for part in (PAYMENTS, REFUNDS, EVENTS):
        op.execute(part)
