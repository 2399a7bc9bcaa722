"""Gate commands: what a person asked a lane to do from afar, and what became of it; and gateways that nobody hears.

A row is written before the command is said, in the session of the moment, and is never said again: what is unanswered when that session ends
is `unknown` for good.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

GATE_COMMANDS = """
-- by_name: who wants it, as typed; actor: the bearer of the token. session: the one in which it was said. detail: why it was refused, or unknown.
CREATE TABLE gate_commands (
    id            uuid NOT NULL,
    lot_id        uuid NOT NULL,
    gateway_id    text NOT NULL,
    epoch         integer NOT NULL,
    session       bigint NOT NULL,
    lane          text NOT NULL,
    move          text NOT NULL,
    by_name       text NOT NULL,
    reason        text NOT NULL,
    actor         text NOT NULL,
    key           text NOT NULL,
    state         text NOT NULL DEFAULT 'sent',
    detail        text NOT NULL DEFAULT '',
    ended_at      timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gate_commands_pkey PRIMARY KEY (id),
    CONSTRAINT gate_commands_gateway FOREIGN KEY (gateway_id) REFERENCES gateways (id),
    CONSTRAINT gate_commands_asked_once UNIQUE (actor, key),
    CONSTRAINT gate_commands_state_known CHECK (state IN ('sent', 'done', 'refused', 'unknown')),
    CONSTRAINT gate_commands_ended_or_sent CHECK ((state = 'sent') = (ended_at IS NULL)),
    CONSTRAINT gate_commands_have_a_reason CHECK (reason <> '' AND by_name <> '')
);
CREATE INDEX gate_commands_by_gateway ON gate_commands (gateway_id, created_at);
CREATE INDEX gate_commands_unanswered ON gate_commands (gateway_id) WHERE state = 'sent';

CREATE FUNCTION gate_commands_end_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'sent' AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'gate command % is %: that is never undone', OLD.id, OLD.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'gate_commands_end_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gate_commands_are_ended_once BEFORE UPDATE OF state ON gate_commands
    FOR EACH ROW EXECUTE FUNCTION gate_commands_end_once();
"""

HOLDERS = """
-- Whether the process that holds a lot's link lives and listens: it holds the advisory lock that gateways.link_holder names. null: not known.
CREATE FUNCTION link_is_held(holder bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT holder IS NULL OR EXISTS (
        SELECT FROM pg_locks AS lock
         WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
           AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND (lock.classid::bigint << 32) | lock.objid::bigint = holder)
$$;
"""

SILENCE = """
-- When it was told that nobody hears this gateway; of a silence before last_heard_at where it has spoken since.
ALTER TABLE gateways ADD COLUMN silent_told_at timestamptz;
"""


def upgrade() -> None:
    for part in (GATE_COMMANDS, HOLDERS, SILENCE):
        op.execute(part)
