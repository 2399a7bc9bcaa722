"""The gateway's end of the link. Next in its story: cloud/gateways/link.

Theory. One session is one connection. The centre speaks first (a nonce), the gateway says hello with its key's signature, the welcome gives
the session its number and tells what the centre has. Then:

- A layout that the centre does not have goes first and is answered before anything else goes, since all else refers to its spots.
- The snapshot (every spot's state, the counts) goes ahead of the log, so that a backlog of days never hides what is true now.
- Then pages of the log (`sync.outbox`) and changed states (`sync.telemetry`) side by side.
- Documents come down in order (`sync.document_list`) and are acknowledged when durable.
- The frames of the commit, of transfers and of gate commands travel beside these: `Deliver` in, `say` out, in this session only.
- A fenced gateway sends neither states nor log: the centre would take nothing. It stays connected, so that documents reach it.
- An answer that does not come within `answer_s` means that the line is dead, though it may look open: the session closes.

Frames of another epoch or session change nothing: they are dropped and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sync.codec import decode, kind_of
from sync.document_list import DocumentList, DocumentMeaning
from sync.errors import Gap, LocalError, RemoteError
from sync.layout import layout_hash
from sync.messages import (
    MAX_PAGE_BYTES,
    PROTOCOL_VERSION,
    Answer,
    Challenge,
    CountRow,
    Decision,
    Document,
    DocumentAck,
    Drain,
    Error,
    Frame,
    FromParticipant,
    GateCommand,
    Hello,
    Layout,
    LayoutAck,
    LogRow,
    Page,
    PageAck,
    Prepare,
    SpotStateRow,
    States,
    StatesAck,
    Transfer,
    Welcome,
)
from sync.outbox import AckMeaning, Outbox
from sync.pace import Pace
from sync.session import (
    Acknowledged,
    ApplyDocument,
    Close,
    Deliver,
    FrameRefused,
    Opened,
    PeerComplained,
    ReadPage,
    ReadStates,
    Send,
    StatesStored,
    TimeTold,
    VerdictGiven,
    complaint,
    hello_bytes,
    stamped,
)
from sync.telemetry import Telemetry

EdgeEffect = (
    Send
    | Close
    | FrameRefused
    | PeerComplained
    | Opened
    | TimeTold
    | VerdictGiven
    | ReadStates
    | StatesStored
    | ReadPage
    | Acknowledged
    | ApplyDocument
    | Deliver
)


class EdgeState(StrEnum):
    """How far a session is."""

    AWAIT_CHALLENGE = "await_challenge"
    AWAIT_WELCOME = "await_welcome"
    LAYOUT = "layout"
    OPEN = "open"
    FENCED = "fenced"
    CLOSED = "closed"


class EdgeSignal(StrEnum):
    """What can arrive, as far as it moves the state."""

    CHALLENGE = "challenge"
    WELCOME = "welcome"
    WELCOME_OTHER_LAYOUT = "welcome_other_layout"
    WELCOME_FENCED = "welcome_fenced"
    LAYOUT_ACK = "layout_ack"
    LAYOUT_REFUSED = "layout_refused"
    STATES_ACK = "states_ack"
    PAGE_ACK = "page_ack"
    DOCUMENT = "document"
    PREPARE = "prepare"
    DECISION = "decision"
    ANSWER = "answer"
    TRANSFER = "transfer"
    GATE_COMMAND = "gate_command"
    DRAIN = "drain"
    ERROR = "error"
    FATAL_ERROR = "fatal_error"


_S, _E = EdgeState, EdgeSignal
EDGE_TABLE: dict[tuple[EdgeState, EdgeSignal], EdgeState] = {
    (_S.AWAIT_CHALLENGE, _E.CHALLENGE): _S.AWAIT_WELCOME,
    (_S.AWAIT_CHALLENGE, _E.FATAL_ERROR): _S.CLOSED,
    (_S.AWAIT_WELCOME, _E.WELCOME): _S.OPEN,
    (_S.AWAIT_WELCOME, _E.WELCOME_OTHER_LAYOUT): _S.LAYOUT,
    (_S.AWAIT_WELCOME, _E.WELCOME_FENCED): _S.FENCED,
    (_S.AWAIT_WELCOME, _E.ERROR): _S.AWAIT_WELCOME,
    (_S.AWAIT_WELCOME, _E.FATAL_ERROR): _S.CLOSED,
    (_S.LAYOUT, _E.LAYOUT_ACK): _S.OPEN,
    (_S.LAYOUT, _E.LAYOUT_REFUSED): _S.OPEN,
    (_S.LAYOUT, _E.DOCUMENT): _S.LAYOUT,
    (_S.LAYOUT, _E.ERROR): _S.LAYOUT,
    (_S.LAYOUT, _E.DRAIN): _S.CLOSED,
    (_S.LAYOUT, _E.FATAL_ERROR): _S.CLOSED,
    (_S.OPEN, _E.STATES_ACK): _S.OPEN,
    (_S.OPEN, _E.PAGE_ACK): _S.OPEN,
    (_S.OPEN, _E.DOCUMENT): _S.OPEN,
    (_S.OPEN, _E.ERROR): _S.OPEN,
    (_S.OPEN, _E.DRAIN): _S.CLOSED,
    (_S.OPEN, _E.FATAL_ERROR): _S.CLOSED,
    **{
        (state, heard): state
        # The centre may speak while the answer to our layout is still on its way.
        for state in (_S.LAYOUT, _S.OPEN)
        for heard in (_E.PREPARE, _E.DECISION, _E.ANSWER, _E.TRANSFER, _E.GATE_COMMAND)
    },
    (_S.FENCED, _E.DOCUMENT): _S.FENCED,
    (_S.FENCED, _E.ERROR): _S.FENCED,
    (_S.FENCED, _E.DRAIN): _S.CLOSED,
    (_S.FENCED, _E.FATAL_ERROR): _S.CLOSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFacts:
    """What a gateway says of itself when a session begins: read from the ledger at that moment."""

    gateway: str
    cloud: str
    epoch: int
    boot: str
    last_seq: int
    acknowledged_seq: int
    acknowledged_hash: bytes
    document_n: int
    layout: bytes
    time_us: int
    clock_quality: str
    software: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTimes:
    """Real seconds: an answer later than `answer_s` means a dead line; States go at most each `states_every_s` and at least each `states_at_least_s`."""

    answer_s: float = 15.0
    states_every_s: float = 0.1
    states_at_least_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesContent:
    """What the shell read for a States frame, as of log row `as_of_seq`. `more` is True where the limit left changed rows unread."""

    as_of_seq: int
    spots: tuple[SpotStateRow, ...]
    counts: tuple[CountRow, ...]
    lanes: tuple[tuple[str, str], ...] = ()
    unexplained: int = 0
    more: bool = False


class EdgeSession:
    """One connection's life. Methods take the real monotonic instant `now_s` and give effects, to be carried out in order."""

    def __init__(
        self,
        facts: EdgeFacts,
        *,
        sign: Callable[[bytes], bytes],
        pace: Pace,
        now_s: float,
        times: EdgeTimes | None = None,
    ) -> None:
        self._facts = facts
        self._sign = sign
        self._pace = pace
        self._times = times or EdgeTimes()
        self._layout_hash = layout_hash(facts.layout)
        self._outbox = Outbox(acknowledged_seq=facts.acknowledged_seq, last_seq=facts.last_seq, pace=pace)
        self._awaits_s: float | None = now_s
        self._telemetry = Telemetry(
            every_s=self._times.states_every_s, at_least_s=self._times.states_at_least_s, now_s=now_s
        )
        self._documents = DocumentList(facts.document_n)
        self.state = EdgeState.AWAIT_CHALLENGE
        self.epoch = facts.epoch
        self.session = 0

    @property
    def backlog(self) -> int:
        """How many log rows are not acknowledged."""
        return self._outbox.backlog

    def receive(self, data: bytes, now_s: float) -> list[EdgeEffect]:
        """These bytes arrived as one message."""
        if self.state is EdgeState.CLOSED:
            return []
        try:
            frame = decode(data)
        except RemoteError as error:
            return self._refuse(error, about="frame")
        if self._is_stale(frame):
            return [FrameRefused(code="stale_session", field="session", about=kind_of(frame))]
        signal = self._signal(frame)
        state = None if signal is None else EDGE_TABLE.get((self.state, signal))
        if state is None:
            return self._break_off(kind_of(frame), f"is not expected in state {self.state}")
        self.state = state
        return self._effects_of(frame, now_s)

    def wake(
        self, now_s: float, *, last_seq: int | None = None, states_changed: bool = False
    ) -> list[EdgeEffect]:
        """Something was committed, or the instant of `timer` has come."""
        if last_seq is not None:
            self._outbox.grown(last_seq)
        if states_changed:
            self._telemetry.changed()
        if self.state is EdgeState.CLOSED:
            return []
        oldest_s = self._oldest_unanswered_s()
        if oldest_s is not None and now_s - oldest_s >= self._times.answer_s:
            return self._end(f"no answer for {self._times.answer_s:g} s")
        return self._go_on(now_s)

    def timer(self, now_s: float) -> float | None:
        """The monotonic instant at which to call `wake` though nothing happened; None for never."""
        instants: list[float] = []
        oldest_s = self._oldest_unanswered_s()
        if oldest_s is not None:
            instants.append(oldest_s + self._times.answer_s)
        if self.state is EdgeState.OPEN:
            ready = (self._telemetry.ready_at, self._outbox.ready_at(now_s))
            instants += [instant for instant in ready if instant is not None]
        return min(instants, default=None)

    def states_read(self, content: StatesContent, now_s: float) -> list[EdgeEffect]:
        """The answer to `ReadStates`."""
        snapshot = not self._telemetry.snapshot_sent
        parts = self._telemetry.sent(content.spots, now_s, more=content.more)
        sends = [Send(frame=self._states(content, n, part, snapshot=snapshot)) for n, part in parts]
        return [*sends, *self._go_on(now_s)]

    def page_read(
        self, rows: tuple[LogRow, ...], previous_hash: bytes | None, now_s: float
    ) -> list[EdgeEffect]:
        """The answer to `ReadPage`: durable rows from the one asked for on, none where they are not durable yet, and the hash of the row
        before (None where it is gone).
        """
        if not rows:
            self._outbox.nothing_durable()
            return []
        run = self._run(rows)
        if not run or previous_hash is None:
            self._outbox.refused(now_s)
            missing = f"log[{self._outbox.sent_seq + (0 if run else 1)}]"
            return [FrameRefused(code="hole_in_log", field=missing, about="page")]
        page = Page(
            epoch=self.epoch,
            session=self.session,
            first=run[0].seq,
            previous_hash=previous_hash,
            rows=run,
        )
        self._outbox.sent(run, now_s)
        return [Send(frame=page), *self._go_on(now_s)]

    def document_applied(self, n: int) -> list[EdgeEffect]:
        """The answer to `ApplyDocument`: the document and its number are durable."""
        following = self._documents.applied(n)
        acknowledgement = Send(frame=DocumentAck(epoch=self.epoch, session=self.session, n=n))
        return (
            [acknowledgement] if following is None else [acknowledgement, ApplyDocument(document=following)]
        )

    def say(self, frame: FromParticipant) -> list[EdgeEffect]:
        """Send a frame of the commit in this session; nothing where no session stands, or it is of another epoch: it is not kept."""
        out = stamped(frame, epoch=self.epoch, session=self.session) if self.state is EdgeState.OPEN else None
        return [] if out is None else [Send(frame=out)]

    def lost(self) -> None:
        """The line is gone. What was on its way is not acknowledged, and goes again with the next session."""
        self.state = EdgeState.CLOSED
        self._outbox.lost()

    def _signal(self, frame: Frame) -> EdgeSignal | None:
        if isinstance(frame, Error):
            if frame.fatal:
                return EdgeSignal.FATAL_ERROR
            refused_layout = self.state is EdgeState.LAYOUT and frame.about == "layout"
            return EdgeSignal.LAYOUT_REFUSED if refused_layout else EdgeSignal.ERROR
        if isinstance(frame, Welcome):
            if frame.verdict != "ok":
                return EdgeSignal.WELCOME_FENCED
            same = frame.layout_hash == self._layout_hash
            return EdgeSignal.WELCOME if same else EdgeSignal.WELCOME_OTHER_LAYOUT
        word = kind_of(frame)
        return EdgeSignal(word) if word in _SIGNAL_WORDS else None

    def _effects_of(self, frame: Frame, now_s: float) -> list[EdgeEffect]:
        """What a frame does that the table let through."""
        match frame:
            case Challenge():
                return self._hello(frame, now_s)
            case Welcome():
                return self._welcomed(frame, now_s)
            case LayoutAck():
                self._awaits_s = None
                return self._go_on(now_s)
            case StatesAck():
                return self._states_stored(frame, now_s)
            case PageAck():
                return self._page_acknowledged(frame, now_s)
            case Document():
                return self._document(frame)
            case Prepare() | Decision() | Answer() | Transfer() | GateCommand():
                return [Deliver(frame=frame)]
            case Drain():
                return self._end("the centre goes down for a moment", frame.delay_ms / 1_000)
            case Error():
                return self._complained(frame, now_s)
            case _:
                raise LocalError(f"{kind_of(frame)} stands in the table and has no effect")

    def _hello(self, challenge: Challenge, now_s: float) -> list[EdgeEffect]:
        if challenge.cloud != self._facts.cloud:
            return self._break_off(
                "challenge", f"comes from {challenge.cloud!r}, we were enrolled with {self._facts.cloud!r}"
            )
        facts = self._facts
        unsigned = Hello(
            gateway=facts.gateway,
            epoch=facts.epoch,
            boot=facts.boot,
            protocol=PROTOCOL_VERSION,
            last_seq=facts.last_seq,
            acknowledged_seq=facts.acknowledged_seq,
            acknowledged_hash=facts.acknowledged_hash,
            document_n=facts.document_n,
            layout_hash=self._layout_hash,
            time_us=facts.time_us,
            clock_quality=facts.clock_quality,
            software=facts.software,
            signature=b"",
        )
        self._awaits_s = now_s
        return [Send(frame=_signed(unsigned, self._sign(hello_bytes(challenge, unsigned))))]

    def _welcomed(self, welcome: Welcome, now_s: float) -> list[EdgeEffect]:
        round_trip_s = now_s - (self._awaits_s or now_s)
        self.session = welcome.session
        self._awaits_s = None
        effects: list[EdgeEffect] = [
            VerdictGiven(verdict=welcome.verdict, reason=welcome.reason),
            TimeTold(time_us=welcome.time_us, round_trip_s=round_trip_s),
            Opened(epoch=welcome.epoch, session=welcome.session),
        ]
        if self.state is EdgeState.FENCED:
            self.epoch = welcome.epoch
            return effects
        self._outbox = Outbox(
            acknowledged_seq=min(self._facts.acknowledged_seq, welcome.acknowledged_seq),
            last_seq=self._outbox.last_seq,
            pace=self._pace,
        )
        if self.state is EdgeState.LAYOUT:
            self._awaits_s = now_s
            layout = Layout(
                epoch=self.epoch,
                session=self.session,
                hash=self._layout_hash,
                body=self._facts.layout,
            )
            return [*effects, Send(frame=layout)]
        return effects + self._go_on(now_s)

    def _go_on(self, now_s: float) -> list[EdgeEffect]:
        """What to read next. One thing at a time: the shell's answer leads here again."""
        if self.state is not EdgeState.OPEN:
            return []
        wanted = self._telemetry.wanted(now_s)
        if wanted is not None:
            return [wanted]
        due = self._outbox.due(now_s)
        return [ReadPage(after_seq=self._outbox.sent_seq, limit=due)] if due else []

    def _states(
        self, content: StatesContent, n: int, part: tuple[SpotStateRow, ...], *, snapshot: bool
    ) -> States:
        return States(
            epoch=self.epoch,
            session=self.session,
            n=n,
            snapshot=snapshot,
            as_of_seq=content.as_of_seq,
            spots=part,
            counts=content.counts,
            lanes=content.lanes,
            unexplained=content.unexplained,
            backlog=self._outbox.backlog,
        )

    def _run(self, rows: tuple[LogRow, ...]) -> tuple[LogRow, ...]:
        """The rows that follow `sent_seq` without a hole and fit one page."""
        size = 0
        run: list[LogRow] = []
        for row in rows:
            size += len(row.body)
            if row.seq != self._outbox.sent_seq + 1 + len(run) or (run and size > MAX_PAGE_BYTES):
                break
            run.append(row)
        return tuple(run)

    def _states_stored(self, ack: StatesAck, now_s: float) -> list[EdgeEffect]:
        sent_s = self._telemetry.oldest_sent_s
        rows = self._telemetry.stored(ack.n)
        effects: list[EdgeEffect] = [StatesStored(rows=rows)] if rows else []
        if ack.time_us and sent_s is not None:
            effects.append(TimeTold(time_us=ack.time_us, round_trip_s=now_s - sent_s))
        return effects + self._go_on(now_s)

    def _page_acknowledged(self, ack: PageAck, now_s: float) -> list[EdgeEffect]:
        match self._outbox.acknowledged(ack.seq, ack.hash, now_s):
            case AckMeaning.ADVANCED:
                return [Acknowledged(seq=ack.seq, hash=ack.hash), *self._go_on(now_s)]
            case AckMeaning.REPEATED:
                return self._go_on(now_s)
            case AckMeaning.NEVER_SENT:
                return self._break_off("page_ack", f"row {ack.seq} does not end a page on its way")
            case AckMeaning.OTHER_LOG:
                reason = f"the centre holds another row {ack.seq}"
                return [
                    VerdictGiven(verdict="fenced", reason=reason),
                    *self._break_off("page_ack", reason),
                ]

    def _document(self, document: Document) -> list[EdgeEffect]:
        match self._documents.arrived(document):
            case DocumentMeaning.NEXT:
                return [ApplyDocument(document=document)]
            case DocumentMeaning.WAITS:
                return []
            case DocumentMeaning.REPEATED:
                n = self._documents.applied_n
                return [Send(frame=DocumentAck(epoch=self.epoch, session=self.session, n=n))]
            case DocumentMeaning.GAP:
                gap = Gap("document.n", f"is {document.n}, {self._documents.next_n} comes next")
                return self._refuse(gap, about="document")

    def _complained(self, error: Error, now_s: float) -> list[EdgeEffect]:
        told = PeerComplained(error=error)
        if error.fatal:
            fenced: list[EdgeEffect] = (
                [VerdictGiven(verdict="fenced", reason=error.message)] if error.code == "quarantined" else []
            )
            return [told, *fenced, *self._end(f"{error.code}: {error.message}")]
        if error.about == "page":
            self._outbox.refused(now_s)
        if error.about == "states":
            self._telemetry.refused(now_s)
        if error.about == "layout":
            self._awaits_s = None
            return [told, *self._go_on(now_s)]
        return [told]

    def _is_stale(self, frame: Frame) -> bool:
        if isinstance(frame, (Challenge, Hello, Welcome, Error)):
            return False
        return self.session == 0 or frame.epoch != self.epoch or frame.session != self.session

    def _oldest_unanswered_s(self) -> float | None:
        waiting = (self._awaits_s, self._outbox.oldest_sent_s, self._telemetry.oldest_sent_s)
        return min((instant for instant in waiting if instant is not None), default=None)

    def _refuse(self, error: RemoteError, *, about: str) -> list[EdgeEffect]:
        told = complaint(error, about=about, epoch=self.epoch, session=self.session)
        return [FrameRefused(code=error.code, field=error.field, about=about), Send(frame=told)]

    def _break_off(self, field: str, problem: str) -> list[EdgeEffect]:
        error = RemoteError(field, problem)
        told = complaint(error, about=field, fatal=True, epoch=self.epoch, session=self.session)
        refused = FrameRefused(code=error.code, field=field, about=field)
        return [refused, Send(frame=told), *self._end(str(error))]

    def _end(self, reason: str, delay_s: float | None = None) -> list[EdgeEffect]:
        self.lost()
        return [Close(reason=reason, delay_s=delay_s)]


_SIGNAL_WORDS = frozenset(EdgeSignal)


def _signed(hello: Hello, signature: bytes) -> Hello:
    fields = {name: getattr(hello, name) for name in Hello.__slots__}
    return Hello(**(fields | {"signature": signature}))
