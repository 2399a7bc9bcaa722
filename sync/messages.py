"""Every frame that crosses the link, as data. `sync.codec` turns them into bounded MessagePack and back.

Who says what, in order:

    cloud  Challenge                               a nonce; the gateway proves its key over nonce + cloud + hello
    edge   Hello                                   who it is, its epoch, how far its log and its documents are
    cloud  Welcome | Error                         the session's number, how far the log is known here
    edge   Layout            → LayoutAck           where the welcome's layout hash is not ours: spots, lanes, policy
    edge   States            → StatesAck           a snapshot first, then what changed: telemetry, outside the log
    edge   Page              → PageAck             the log, in order; acknowledged with its transaction
    cloud  Document          → DocumentAck         what the centre decides, numbered per gateway
    cloud  Prepare           → Vote                will you hold a place? (only now: never kept for a reconnect)
    cloud  Decision          → DecisionAck         what a transaction was decided to be, until acknowledged
    edge   Inquiry           → Answer              what became of it?
    edge   TransferRequest   → Transfer            the cloud gives spots to the lot; it may also do so unasked
    cloud  GateCommand       → CommandResult       a person opens a gate from afar, in this session only
    cloud  Drain                                   come back after a delay
    both   Error                                   what was wrong with a frame; the session goes on unless `fatal`

Every frame but the first three carries the epoch and the session's number. Instants are integer microseconds since 1970 UTC.
New fields have defaults, so that an older side still understands. The frames of the commit are made by its machines, which know no
session: they carry session 0 until a session stamps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 1_048_576
MAX_ROW_BYTES = 262_144
MAX_PAGE_ROWS = 500
MAX_PAGE_BYTES = 524_288
MAX_STATE_ROWS = 2_000
MAX_TRANSFER_SPOTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """The cloud's first frame. `nonce` is 32 random bytes, `cloud` the name the gateway was enrolled with."""

    nonce: bytes
    cloud: str
    time_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The gateway's answer. `signature` is Ed25519 over `sync.session.hello_bytes` (nonce, cloud and all other fields).

    `acknowledged_seq` and `acknowledged_hash` are the last row that the gateway knows to be applied, and its hash; `last_seq` is the
    last row of its log. `document_n` is the number of the last document applied. `clock_quality` is synced, holdover or unknown.
    """

    gateway: str
    epoch: int
    boot: str
    protocol: int
    last_seq: int
    acknowledged_seq: int
    acknowledged_hash: bytes
    document_n: int
    layout_hash: bytes
    time_us: int
    clock_quality: str
    software: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The session begins. `acknowledged_seq` is what the cloud has applied; the gateway sends from the older of that and of its own on
    (`sync.outbox`), so that a row whose acknowledgement was lost is compared by hash.

    `verdict` is "ok" or "fenced" (exits and passes only, nothing is sold, until a person has recounted), `reason` says why.
    `layout_hash` is the layout that the cloud has, empty where it has none.
    """

    epoch: int
    session: int
    acknowledged_seq: int
    layout_hash: bytes
    time_us: int
    verdict: str = "ok"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The lot as its lot.toml describes it, MessagePack of `sync.layout.layout_body`; `hash` is SHA-256 of `body`."""

    epoch: int
    session: int
    hash: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutAck:
    """The layout is stored."""

    epoch: int
    session: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotStateRow:
    """The last known sensor state of one spot. `n` counts this gateway's updates of the spot within the epoch.

    `state` is occupied, free or unknown; `confidence_1e4` 0..10000; `source` names the device.
    """

    spot: str
    n: int
    state: str
    source: str
    occurred_us: int
    confidence_1e4: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """What the ledger says of one type of spot: `sellable` now, out of `total`, true until `holds_until_us` (None: open)."""

    type: str
    total: int
    sellable: int
    holds_until_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """Telemetry, coalesced to the last state of each spot, and the counts as of log row `as_of_seq`.

    `n` numbers the States frames of a session; `snapshot` is True for the first, which holds every spot (for the first few,
    where the lot has more than MAX_STATE_ROWS). `lanes` tells each lane's state
    and `unexplained` the difference between sensors and stays.
    """

    epoch: int
    session: int
    n: int
    snapshot: bool
    as_of_seq: int
    spots: tuple[SpotStateRow, ...]
    counts: tuple[CountRow, ...]
    lanes: tuple[tuple[str, str], ...] = ()
    unexplained: int = 0
    backlog: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesAck:
    """States frame `n` is stored. `time_us` is the cloud's time at the answer (0: it does not say), so that a gateway hears it all the while."""

    epoch: int
    session: int
    n: int
    time_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One row of the log as it is stored: `body` is the very bytes that were hashed (`sync.chain`)."""

    seq: int
    hash: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows `first` … in order, without a gap, at most MAX_PAGE_ROWS. `previous_hash` is that of row `first` - 1."""

    epoch: int
    session: int
    first: int
    previous_hash: bytes
    rows: tuple[LogRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAck:
    """Everything up to and including `seq`, whose hash is `hash`, is applied and durable."""

    epoch: int
    session: int
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What the centre decides, number `n` of this gateway's list. `kind` tariff or keys for now; `body` is MessagePack."""

    epoch: int
    session: int
    n: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentAck:
    """Every document up to and including `n` is applied and durable."""

    epoch: int
    session: int
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Hold a place of `type` over [starts_us, ends_us) for this revision of a reservation, under the claim id `claim`.

    `left_ms` real milliseconds are left until the coordinator's deadline. `spot` is set where the driver asked for a painted one.
    """

    epoch: int
    session: int
    reservation: str
    revision: int
    claim: str
    type: str
    starts_us: int
    ends_us: int
    left_ms: int
    spot: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """The lot's vote. A yes names the claim as it holds it, and the log sequence just before the rows that tell it; a no has a
    `reason` (`sync.transaction.NoReason`) and no place.
    """

    epoch: int
    session: int
    reservation: str
    revision: int
    yes: bool
    claim: str
    reason: str = ""
    spot: str | None = None
    starts_us: int | None = None
    ends_us: int | None = None
    log_seq_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the transaction was decided to be: `outcome` is committed or aborted. `claim` (`sync.rows`) is the promise as it stands."""

    epoch: int
    session: int
    reservation: str
    revision: int
    outcome: str
    reason: str = ""
    claim: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionAck:
    """The decision is on the lot's disk."""

    epoch: int
    session: int
    reservation: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """The lot voted yes, at `prepared_us` by its clock, and never heard what was decided."""

    epoch: int
    session: int
    reservation: str
    revision: int
    prepared_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to an inquiry: `outcome` is committed, aborted or undecided."""

    epoch: int
    session: int
    reservation: str
    revision: int
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """The lot asks for `count` spots of `type` that the cloud owns. `request` names the question."""

    epoch: int
    session: int
    request: str
    type: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The cloud has given these spots up, under the id `transfer`; none where it gives none, and `reason` says why.

    `request` is the question it answers, "" where the cloud gives unasked.
    """

    epoch: int
    session: int
    transfer: str
    request: str
    type: str
    spots: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCommand:
    """A person (`by`) wants the arm of `lane` moved, for a reason that goes on record. It lives in this session only."""

    epoch: int
    session: int
    command: str
    lane: str
    move: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What became of a gate command: done or refused; one without an answer at the session's end stays unknown."""

    epoch: int
    session: int
    command: str
    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """The server goes down for a moment: close, and come back after `delay_ms` milliseconds."""

    epoch: int
    session: int
    delay_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """A frame was not accepted. `code` is a RemoteError's, `field` names what is wrong, `about` the kind of frame."""

    code: str
    field: str
    message: str
    about: str = ""
    fatal: bool = False
    epoch: int = 0
    session: int = 0


FromCoordinator = Prepare | Decision | Answer | Transfer | GateCommand
"""What the cloud says in a commit, a transfer or a gate command."""

FromParticipant = Vote | DecisionAck | Inquiry | TransferRequest | CommandResult
"""What a lot says there."""

Frame = (
    Challenge
    | Hello
    | Welcome
    | Layout
    | LayoutAck
    | States
    | StatesAck
    | Page
    | PageAck
    | Document
    | DocumentAck
    | FromCoordinator
    | FromParticipant
    | Drain
    | Error
)
