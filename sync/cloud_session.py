"""The centre's end of the link. Next in its story: sync/inbox, then cloud/gateways/service.

Theory. The centre speaks first: a nonce nobody can have signed before. It looks up the gateway of the hello, checks the signature, judges
(`sync.incarnation`) and takes the next session number in one transaction; from then on an older session of this gateway changes nothing,
since the number is checked again in every transaction that applies something. Frames arrive in order and are carried out one
after the other: the shell hands in the next one when the effects of the last are done, so a slow database slows the line and nothing
queues without bound.

What a page means is `sync.inbox`'s; a page of a fork quarantines the gateway. A fenced gateway's frames are answered with an error and change
nothing. The frames of the commit, of transfers and of gate commands pass through (`Deliver`, `say`). Documents go down in order, as many at a time as DOCUMENT_WINDOW; the hello of each session says how far the gateway is, which
acknowledges what it has and is where the list goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync.chain import genesis
from sync.codec import decode, kind_of
from sync.errors import Gap, LocalError, MalformedFrame, NotAuthentic, Quarantined, RemoteError, StaleSession
from sync.inbox import ApplyPage, PageMeaning, page_meaning, read_rows
from sync.incarnation import GatewayRecord, Verdict, judge
from sync.keys import verify
from sync.layout import layout_hash
from sync.messages import (
    Challenge,
    CommandResult,
    DecisionAck,
    Document,
    DocumentAck,
    Drain,
    Error,
    Frame,
    FromCoordinator,
    Hello,
    Inquiry,
    Layout,
    LayoutAck,
    Page,
    PageAck,
    States,
    StatesAck,
    TransferRequest,
    Vote,
    Welcome,
)
from sync.session import (
    Begin,
    Close,
    Deliver,
    DocumentsAcknowledged,
    FrameRefused,
    Identify,
    PeerComplained,
    Quarantine,
    ReadDocuments,
    Send,
    StoreLayout,
    complaint,
    hello_bytes,
    stamped,
)

DOCUMENT_WINDOW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStates:
    """Cloud: keep these states and counts, after checking epoch and session. Answer: `states_stored` or `refused`."""

    states: States


CloudEffect = (
    Send
    | Close
    | FrameRefused
    | PeerComplained
    | Identify
    | Begin
    | StoreLayout
    | StoreStates
    | ApplyPage
    | Quarantine
    | ReadDocuments
    | DocumentsAcknowledged
    | Deliver
)


class CloudState(StrEnum):
    """How far a session is."""

    AWAIT_HELLO = "await_hello"
    IDENTIFYING = "identifying"
    OPENING = "opening"
    OPEN = "open"
    FENCED = "fenced"
    CLOSED = "closed"


class CloudSignal(StrEnum):
    """What can arrive, as far as it moves the state."""

    HELLO = "hello"
    LAYOUT = "layout"
    STATES = "states"
    PAGE = "page"
    DOCUMENT_ACK = "document_ack"
    VOTE = "vote"
    DECISION_ACK = "decision_ack"
    INQUIRY = "inquiry"
    TRANSFER_REQUEST = "transfer_request"
    COMMAND_RESULT = "command_result"
    ERROR = "error"
    FATAL_ERROR = "fatal_error"


_S, _E = CloudState, CloudSignal
CLOUD_TABLE: dict[tuple[CloudState, CloudSignal], CloudState] = {
    (_S.AWAIT_HELLO, _E.HELLO): _S.IDENTIFYING,
    (_S.AWAIT_HELLO, _E.ERROR): _S.AWAIT_HELLO,
    (_S.AWAIT_HELLO, _E.FATAL_ERROR): _S.CLOSED,
    (_S.OPEN, _E.LAYOUT): _S.OPEN,
    (_S.OPEN, _E.STATES): _S.OPEN,
    (_S.OPEN, _E.PAGE): _S.OPEN,
    (_S.OPEN, _E.DOCUMENT_ACK): _S.OPEN,
    (_S.OPEN, _E.ERROR): _S.OPEN,
    (_S.OPEN, _E.FATAL_ERROR): _S.CLOSED,
    **{
        (state, heard): state
        for state in (_S.OPEN, _S.FENCED)
        for heard in (_E.VOTE, _E.DECISION_ACK, _E.INQUIRY, _E.TRANSFER_REQUEST, _E.COMMAND_RESULT)
    },
    (_S.FENCED, _E.LAYOUT): _S.FENCED,
    (_S.FENCED, _E.STATES): _S.FENCED,
    (_S.FENCED, _E.PAGE): _S.FENCED,
    (_S.FENCED, _E.DOCUMENT_ACK): _S.FENCED,
    (_S.FENCED, _E.ERROR): _S.FENCED,
    (_S.FENCED, _E.FATAL_ERROR): _S.CLOSED,
}


class CloudSession:
    """One connection's life. Give each frame in order; carry out the effects before the next."""

    def __init__(self, *, cloud: str, nonce: bytes, time_us: int) -> None:
        self._challenge = Challenge(nonce=nonce, cloud=cloud, time_us=time_us)
        self._hello: Hello | None = None
        self._record: GatewayRecord | None = None
        self._verdict = Verdict.OK
        self._reason = ""
        self._page: Page | None = None
        self._states_n: int | None = None
        self._acknowledged_seq = 0
        self._acknowledged_hash = b""
        self._document_sent_n = 0
        self._document_acknowledged_n = 0
        self.state = CloudState.AWAIT_HELLO
        self.gateway = ""
        self.epoch = 0
        self.session = 0

    def start(self) -> list[CloudEffect]:
        """The line is open."""
        return [Send(frame=self._challenge)]

    def receive(self, data: bytes) -> list[CloudEffect]:
        """These bytes arrived as one message."""
        if self.state is CloudState.CLOSED:
            return []
        try:
            frame = decode(data)
        except RemoteError as error:
            return self._refuse(error, about="frame")
        signal = _signal(frame)
        state = None if signal is None else CLOUD_TABLE.get((self.state, signal))
        if state is None:
            return self._break_off(kind_of(frame), f"is not expected in state {self.state}")
        if self._is_stale(frame):
            return self._refuse(StaleSession("session", "is over"), about=kind_of(frame))
        fenced = self.state is CloudState.FENCED and not isinstance(frame, (DocumentAck, Error))
        self.state = state
        if fenced:
            return self._refuse(Quarantined("gateway", self._reason), about=kind_of(frame))
        return self._effects_of(frame)

    def identified(self, record: GatewayRecord | None) -> list[CloudEffect]:
        """The answer to `Identify`: what is held of the gateway, None where it is unknown."""
        if self.state is not CloudState.IDENTIFYING or self._hello is None:
            raise LocalError(f"identified in state {self.state}")
        if record is None:
            return self._end_with(NotAuthentic("signature", "does not hold"), about="hello")
        try:
            verify(record.public_key, self._hello.signature, hello_bytes(self._challenge, self._hello))
        except NotAuthentic as error:
            return self._end_with(error, about="hello")
        self.state = CloudState.OPENING
        self._record = record
        self.gateway = record.gateway
        self.epoch = record.epoch
        self._acknowledged_seq = record.acknowledged_seq
        self._acknowledged_hash = (
            record.acknowledged_hash if record.acknowledged_seq else genesis(record.gateway, record.epoch)
        )
        self._verdict, self._reason = judge(self._hello, record)
        return [Begin(gateway=record.gateway, verdict=str(self._verdict), reason=self._reason)]

    def begun(self, session: int, time_us: int) -> list[CloudEffect]:
        """The answer to `Begin`: the session's number is durable. `time_us` is the civil instant now."""
        if self.state is not CloudState.OPENING or self._record is None or self._hello is None:
            raise LocalError(f"begun in state {self.state}")
        self.session = session
        self.state = CloudState.OPEN if self._verdict is Verdict.OK else CloudState.FENCED
        self._document_sent_n = self._document_acknowledged_n = self._hello.document_n
        welcome = Welcome(
            epoch=self.epoch,
            session=session,
            acknowledged_seq=self._acknowledged_seq,
            layout_hash=self._record.layout_hash,
            time_us=time_us,
            verdict=str(self._verdict),
            reason=self._reason,
        )
        known = [DocumentsAcknowledged(n=self._hello.document_n)] if self._hello.document_n else []
        return [Send(frame=welcome), *known, *self._more_documents()]

    def layout_stored(self, stored_hash: bytes) -> list[CloudEffect]:
        """The answer to `StoreLayout`."""
        return [Send(frame=LayoutAck(epoch=self.epoch, session=self.session, hash=stored_hash))]

    def states_stored(self, time_us: int = 0) -> list[CloudEffect]:
        """The answer to `StoreStates`, at the cloud's time `time_us`."""
        if self._states_n is None:
            raise LocalError("no states were to be stored")
        n, self._states_n = self._states_n, None
        return [Send(frame=StatesAck(epoch=self.epoch, session=self.session, n=n, time_us=time_us))]

    def page_applied(self) -> list[CloudEffect]:
        """The answer to `ApplyPage`: its rows and the acknowledged sequence are durable, in one transaction."""
        if self._page is None:
            raise LocalError("no page was to be applied")
        last = self._page.rows[-1]
        self._page = None
        if last.seq > self._acknowledged_seq:
            self._acknowledged_seq, self._acknowledged_hash = last.seq, last.hash
        return [Send(frame=PageAck(epoch=self.epoch, session=self.session, seq=last.seq, hash=last.hash))]

    def forked(self, seq: int) -> list[CloudEffect]:
        """The answer to `ApplyPage` where row `seq` is stored with another hash; nothing of the page was applied."""
        self._page = None
        return self._quarantine(f"row {seq} came with another hash than the one that is stored")

    def refused(self, about: str, error: RemoteError) -> list[CloudEffect]:
        """What the last frame asked for cannot be done, now (`Busy`) or at all; the session goes on and the gateway tries again later."""
        self._page = None
        self._states_n = None
        return self._refuse(error, about=about)

    def superseded(self) -> list[CloudEffect]:
        """The transaction found that a newer session of this gateway has begun: this one changed nothing and ends."""
        return self._end_with(StaleSession("session", "was replaced by a newer one"), about="session")

    def drain(self, delay_ms: int) -> list[CloudEffect]:
        """The process goes down: let the gateway come back after `delay_ms` milliseconds."""
        if self.state is CloudState.CLOSED:
            return []
        frame = Drain(epoch=self.epoch, session=self.session, delay_ms=delay_ms)
        sends = [Send(frame=frame)] if self.session else []
        self.state = CloudState.CLOSED
        return [*sends, Close(reason="draining")]

    def say(self, frame: FromCoordinator) -> list[CloudEffect]:
        """Send a frame of the commit in this session; nothing where it is not open, or the frame is of another epoch: it is not kept."""
        out = (
            stamped(frame, epoch=self.epoch, session=self.session) if self.state is CloudState.OPEN else None
        )
        return [] if out is None else [Send(frame=out)]

    def documents_added(self) -> list[CloudEffect]:
        """There may be new documents for this gateway."""
        return self._more_documents()

    def documents_read(self, documents: tuple[tuple[int, str, bytes], ...]) -> list[CloudEffect]:
        """The answer to `ReadDocuments`: (n, kind, body) in order."""
        sends: list[CloudEffect] = []
        for n, kind, body in documents:
            if n != self._document_sent_n + 1:
                raise LocalError(f"document {n} would follow {self._document_sent_n}")
            self._document_sent_n = n
            sends.append(
                Send(frame=Document(epoch=self.epoch, session=self.session, n=n, kind=kind, body=body))
            )
        return sends

    def _effects_of(self, frame: Frame) -> list[CloudEffect]:
        """What a frame does that the table let through."""
        match frame:
            case Hello():
                self._hello = frame
                return [Identify(hello=frame)]
            case Layout():
                if layout_hash(frame.body) != frame.hash:
                    return self._refuse(MalformedFrame("layout.hash", "is not the body's"), about="layout")
                return [StoreLayout(hash=frame.hash, body=frame.body)]
            case States():
                self._states_n = frame.n
                return [StoreStates(states=frame)]
            case Page():
                return self._page_arrived(frame)
            case DocumentAck():
                return self._documents_acknowledged(frame.n)
            case Vote() | DecisionAck() | Inquiry() | TransferRequest() | CommandResult():
                return [Deliver(frame=frame)]
            case Error():
                return [PeerComplained(error=frame), *([Close(reason=frame.message)] if frame.fatal else [])]
            case _:
                raise LocalError(f"{kind_of(frame)} stands in the table and has no effect")

    def _page_arrived(self, page: Page) -> list[CloudEffect]:
        try:
            meaning = page_meaning(page, self._acknowledged_seq, self._acknowledged_hash)
        except MalformedFrame as error:
            return self._refuse(error, about="page")
        if meaning is PageMeaning.GAP:
            wanted = f"is {page.first}; {self._acknowledged_seq + 1} comes next"
            return self._refuse(Gap("page.first", wanted), about="page")
        if meaning is PageMeaning.FORK:
            return self._quarantine(
                f"the page from row {page.first} continues another log than the one applied up to {self._acknowledged_seq}"
            )
        self._page = page
        return [ApplyPage(meaning=meaning, rows=read_rows(page))]

    def _documents_acknowledged(self, n: int) -> list[CloudEffect]:
        if n > self._document_sent_n:
            return self._break_off("document_ack", f"document {n} was not sent")
        if n <= self._document_acknowledged_n:
            return []
        self._document_acknowledged_n = n
        return [DocumentsAcknowledged(n=n), *self._more_documents()]

    def _more_documents(self) -> list[CloudEffect]:
        room = DOCUMENT_WINDOW - (self._document_sent_n - self._document_acknowledged_n)
        if room <= 0 or self.state not in {CloudState.OPEN, CloudState.FENCED}:
            return []
        return [ReadDocuments(after_n=self._document_sent_n, limit=room)]

    def _is_stale(self, frame: Frame) -> bool:
        if isinstance(frame, (Hello, Challenge, Welcome, Error)):
            return False
        return frame.epoch != self.epoch or frame.session != self.session

    def _quarantine(self, reason: str) -> list[CloudEffect]:
        self._reason = reason
        return [
            Quarantine(reason=reason),
            *self._end_with(Quarantined("gateway", reason), about="page"),
        ]

    def _refuse(self, error: RemoteError, *, about: str) -> list[CloudEffect]:
        told = complaint(error, about=about, epoch=self.epoch, session=self.session)
        return [FrameRefused(code=error.code, field=error.field, about=about), Send(frame=told)]

    def _break_off(self, field: str, problem: str) -> list[CloudEffect]:
        return self._end_with(RemoteError(field, problem), about=field)

    def _end_with(self, error: RemoteError, *, about: str) -> list[CloudEffect]:
        self.state = CloudState.CLOSED
        told = complaint(error, about=about, fatal=True, epoch=self.epoch, session=self.session)
        refused = FrameRefused(code=error.code, field=error.field, about=about)
        return [refused, Send(frame=told), Close(reason=str(error))]


_SIGNAL_WORDS = frozenset(CloudSignal)


def _signal(frame: Frame) -> CloudSignal | None:
    if isinstance(frame, Error):
        return CloudSignal.FATAL_ERROR if frame.fatal else CloudSignal.ERROR
    word = kind_of(frame)
    return CloudSignal(word) if word in _SIGNAL_WORDS else None
