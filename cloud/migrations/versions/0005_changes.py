"""Changes of bookings and promises at risk; who holds a lot's line.

A row of `reservations` holds what its revision adds; `booked_from` and `booked_until` are the whole window of the booking from that revision on.
Earlier revisions of a changed booking have no status any more: the newest one that is committed speaks for all.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

RESERVATIONS = """
-- cuts: the booking gives up time that its lot holds; cut_n is the number of the document that tells the lot. give_back_minor is what a
-- cheaper revision gives back when the lot has that document. at_risk: why the promise may not be kept; risk_told: its driver was told.
ALTER TABLE reservations
    ADD COLUMN booked_from     timestamptz,
    ADD COLUMN booked_until    timestamptz,
    ADD COLUMN cuts            boolean NOT NULL DEFAULT false,
    ADD COLUMN cut_n           integer,
    ADD COLUMN give_back_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN at_risk         text,
    ADD COLUMN risk_told       boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT reservations_booked_not_empty CHECK (booked_from < booked_until),
    ADD CONSTRAINT reservations_gives_back CHECK (give_back_minor >= 0);
CREATE INDEX reservations_giving_back ON reservations (id) WHERE give_back_minor > 0;
CREATE INDEX reservations_changed_by_start ON reservations (booked_from)
    WHERE booked_from IS NOT NULL AND status IN ('active', 'in_use', 'cancel_pending');
CREATE INDEX reservations_risk_untold ON reservations (id) WHERE at_risk IS NOT NULL AND NOT risk_told;
"""

GATEWAYS = """
-- The key of the advisory lock that the process with this lot's link holds while it lives and listens; null: not known.
ALTER TABLE gateways ADD COLUMN link_holder bigint;
"""


def upgrade() -> None:
    for part in (RESERVATIONS, GATEWAYS):
        op.execute(part)
