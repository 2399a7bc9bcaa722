"""How a ledger's file comes to be and changes, step by step; what they arrive at is `schema.sql`, and a test compares.

Each migration and its record are one transaction (sqlite-utils 4), so that a power cut leaves either the old schema or the new one.
A migration that has been released is never edited; the next one is added below it.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

LEDGER = Migrations("lotgate.edge.ledger")


@LEDGER(name="0001_tables")
def tables(database: Database) -> None:
    """Everything that the first ledger holds."""
    _run(database, TABLES)


@LEDGER(name="0002_claims_never_overlap")
def claims_never_overlap(database: Database) -> None:
    """The database refuses an overlap itself."""
    _run(database, CLAIMS_NEVER_OVERLAP)


@LEDGER(name="0003_transactions")
def transactions(database: Database) -> None:
    """The lot's part in every commit."""
    _run(database, TRANSACTIONS)


@LEDGER(name="0004_transfers")
def transfers(database: Database) -> None:
    """Spots on their way between this lot and the centre."""
    _run(database, TRANSFERS)


def _run(database: Database, statements: tuple[str, ...]) -> None:
    """One by one: sqlite3's own executescript would commit first."""
    for statement in statements:
        database.execute(statement)


TABLES = (
    """
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value ANY
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE spots (
        id TEXT PRIMARY KEY,
        zone TEXT NOT NULL,
        number TEXT NOT NULL,
        type TEXT NOT NULL,
        owner TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE claims (
        id TEXT PRIMARY KEY,
        spot TEXT REFERENCES spots (id),
        type TEXT NOT NULL,
        starts_us INTEGER NOT NULL,
        ends_us INTEGER,
        kind TEXT NOT NULL,
        holder_kind TEXT NOT NULL,
        holder_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('held', 'firm', 'released')),
        sold_by TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        version INTEGER NOT NULL,
        clashing INTEGER NOT NULL CHECK (clashing IN (0, 1)),
        seq INTEGER NOT NULL,
        CHECK (ends_us IS NULL OR ends_us > starts_us)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE INDEX claims_binding ON claims (spot, starts_us) WHERE state <> 'released' AND clashing = 0
    """,
    """
    CREATE TABLE stays (
        id TEXT PRIMARY KEY,
        credential_kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        plate_encrypted BLOB,
        type TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('admitted', 'inside', 'left', 'void')),
        lane TEXT NOT NULL,
        entry_seq INTEGER NOT NULL,
        admitted_us INTEGER NOT NULL,
        entered_us INTEGER,
        left_us INTEGER,
        claim TEXT,
        over_count INTEGER NOT NULL,
        tariff_version TEXT NOT NULL,
        factor_1e4 INTEGER NOT NULL,
        paid_until_us INTEGER,
        version INTEGER NOT NULL,
        seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE demands (
        id TEXT PRIMARY KEY,
        stay TEXT NOT NULL,
        amount_minor INTEGER NOT NULL,
        currency TEXT NOT NULL,
        from_us INTEGER NOT NULL,
        to_us INTEGER NOT NULL,
        lines TEXT NOT NULL,
        made_us INTEGER NOT NULL,
        seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE INDEX demands_of_stay ON demands (stay)
    """,
    """
    CREATE TABLE payments (
        id TEXT PRIMARY KEY,
        demand TEXT NOT NULL,
        amount_minor INTEGER NOT NULL,
        currency TEXT NOT NULL,
        state TEXT NOT NULL,
        terminal TEXT NOT NULL,
        reference TEXT,
        changed_us INTEGER NOT NULL,
        version INTEGER NOT NULL,
        seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE INDEX payments_of_demand ON payments (demand)
    """,
    """
    CREATE TABLE log (
        id INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        previous_hash BLOB NOT NULL,
        hash BLOB NOT NULL,
        boot TEXT NOT NULL,
        monotonic_us INTEGER NOT NULL,
        kind TEXT NOT NULL,
        body BLOB NOT NULL,
        UNIQUE (epoch, seq)
    ) STRICT
    """,
    """
    CREATE TABLE acknowledgements (
        epoch INTEGER NOT NULL,
        hour INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (epoch, hour)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE spot_states (
        spot TEXT NOT NULL,
        writer TEXT NOT NULL,
        n INTEGER NOT NULL,
        seen TEXT NOT NULL,
        state TEXT NOT NULL,
        source TEXT NOT NULL,
        occurred_us INTEGER NOT NULL,
        confidence_1e4 INTEGER NOT NULL,
        uploaded INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (spot, writer)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE reading_keys (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        key TEXT NOT NULL,
        UNIQUE (source, key)
    ) STRICT
    """,
    """
    CREATE TABLE documents (
        n INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE conflicts (
        id INTEGER PRIMARY KEY,
        claim TEXT NOT NULL,
        other TEXT NOT NULL,
        detail TEXT NOT NULL,
        at_us INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE quarantine (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        field TEXT NOT NULL,
        problem TEXT NOT NULL,
        digest TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        raw BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE tokens_seen (
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        revision INTEGER NOT NULL,
        at_us INTEGER NOT NULL,
        PRIMARY KEY (kind, subject)
    ) STRICT, WITHOUT ROWID
    """,
)

TRANSACTIONS = (
    """
    CREATE TABLE transactions (
        reservation TEXT NOT NULL,
        revision INTEGER NOT NULL,
        state TEXT NOT NULL,
        claim TEXT,
        type TEXT,
        starts_us INTEGER,
        ends_us INTEGER,
        epoch INTEGER NOT NULL,
        prepared_us INTEGER,
        log_seq_before INTEGER NOT NULL,
        ended_by TEXT NOT NULL,
        reason TEXT NOT NULL,
        seq INTEGER NOT NULL,
        changed_us INTEGER NOT NULL,
        PRIMARY KEY (reservation, revision)
    ) STRICT, WITHOUT ROWID
    """,
)

TRANSFERS = (
    """
    CREATE TABLE transfers (
        id TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        to_tier TEXT NOT NULL CHECK (to_tier IN ('edge', 'cloud')),
        type TEXT NOT NULL,
        spots TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('in_flight', 'credited', 'stranded')),
        seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)

CLAIMS_NEVER_OVERLAP = (
    """
    CREATE TRIGGER claims_overlap_on_insert BEFORE INSERT ON claims
    WHEN NEW.state <> 'released' AND NEW.clashing = 0 AND NEW.spot IS NOT NULL
    BEGIN
        SELECT raise(ABORT, 'claims overlap')
        WHERE EXISTS (
            SELECT 1 FROM claims
            WHERE
                spot = NEW.spot AND id <> NEW.id AND state <> 'released' AND clashing = 0
                AND (NEW.ends_us IS NULL OR starts_us < NEW.ends_us)
                AND (ends_us IS NULL OR ends_us > NEW.starts_us)
        );
    END
    """,
    """
    CREATE TRIGGER claims_overlap_on_update BEFORE UPDATE ON claims
    WHEN NEW.state <> 'released' AND NEW.clashing = 0 AND NEW.spot IS NOT NULL
    BEGIN
        SELECT raise(ABORT, 'claims overlap')
        WHERE EXISTS (
            SELECT 1 FROM claims
            WHERE
                spot = NEW.spot AND id <> NEW.id AND state <> 'released' AND clashing = 0
                AND (NEW.ends_us IS NULL OR starts_us < NEW.ends_us)
                AND (ends_us IS NULL OR ends_us > NEW.starts_us)
        );
    END
    """,
)
