"""Both ends of the link in one process, with a line between them that can be cut after any frame. The test's own small ledger and centre
keep what is durable; a new session begins from it, as after a crash."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sync.chain import Envelope, genesis, next_hash, pack_envelope
from sync.cloud_session import CloudEffect, CloudSession, StoreStates
from sync.codec import encode
from sync.edge_session import EdgeEffect, EdgeFacts, EdgeSession, EdgeTimes, StatesContent
from sync.errors import Busy
from sync.inbox import ApplyPage, InboxRow, Poison
from sync.incarnation import GatewayRecord
from sync.keys import SigningKey
from sync.layout import layout_hash
from sync.messages import (
    CountRow,
    Document,
    Frame,
    FromCoordinator,
    FromParticipant,
    Hello,
    LogRow,
    SpotStateRow,
    States,
)
from sync.pace import Pace, PaceSettings
from sync.session import (
    Acknowledged,
    ApplyDocument,
    Begin,
    Close,
    Deliver,
    DocumentsAcknowledged,
    FrameRefused,
    Identify,
    Quarantine,
    ReadDocuments,
    ReadPage,
    ReadStates,
    Send,
    StatesStored,
    StoreLayout,
    VerdictGiven,
)

KEY = SigningKey.from_seed(b"k" * 32)
GATEWAY = "gw-1"
LAYOUT = b"a layout"
SIGN_OF_LIFE_S = 1e6  # far from every other time, so that a quiet line is told from one that waits


@dataclass
class EdgeDisk:
    """What a gateway keeps."""

    epoch: int = 1
    rows: list[LogRow] = field(default_factory=list)
    acknowledged_seq: int = 0
    acknowledged_hash: bytes = b""
    documents: list[Document] = field(default_factory=list)
    states: dict[str, SpotStateRow] = field(default_factory=dict)
    uploaded: dict[str, int] = field(default_factory=dict)
    verdict: str = "ok"

    def log(self, kind: str = "gate_moved", body: bytes | None = None) -> None:
        """Write one more row; `body` stands in for its bytes where it is to be poison."""
        seq = len(self.rows) + 1
        packed = body or pack_envelope(
            Envelope(epoch=self.epoch, seq=seq, boot="b", since_boot_us=seq, kind=kind, body={"at_us": seq})
        )
        self.rows.append(LogRow(seq=seq, hash=next_hash(self.hash_at(seq - 1), packed), body=packed))

    def hash_at(self, seq: int) -> bytes:
        return self.rows[seq - 1].hash if seq else genesis(GATEWAY, self.epoch)

    def sense(self, spot: str, state: str) -> None:
        n = self.states[spot].n + 1 if spot in self.states else 1
        self.states[spot] = SpotStateRow(
            spot=spot, n=n, state=state, source="s", occurred_us=n, confidence_1e4=10_000
        )

    def dirty(self) -> list[SpotStateRow]:
        return [row for row in self.states.values() if self.uploaded.get(row.spot, 0) < row.n]

    def copy(self) -> EdgeDisk:
        """An image of the card."""
        return replace(
            self,
            rows=list(self.rows),
            documents=list(self.documents),
            states=dict(self.states),
            uploaded=dict(self.uploaded),
        )


@dataclass
class CloudDisk:
    """What the centre keeps. `with_inbox_key` False is the broken build whose inbox has no key."""

    epoch: int = 1
    session: int = 0
    acknowledged_seq: int = 0
    acknowledged_hash: bytes = b""
    inbox: dict[int, InboxRow] = field(default_factory=dict)
    applied: list[int] = field(default_factory=list)
    poison: list[int] = field(default_factory=list)
    documents: list[tuple[int, str, bytes]] = field(default_factory=list)
    documents_acknowledged: int = 0
    layout: bytes = b""
    states: dict[str, SpotStateRow] = field(default_factory=dict)
    quarantined: str = ""
    with_inbox_key: bool = True
    busy: int = 0

    def record(self, hello: Hello) -> GatewayRecord | None:
        """What is held of the gateway of a hello."""
        if hello.gateway != GATEWAY:
            return None
        held = self.inbox.get(hello.acknowledged_seq)
        return GatewayRecord(
            gateway=GATEWAY,
            public_key=KEY.public,
            epoch=self.epoch,
            acknowledged_seq=self.acknowledged_seq,
            acknowledged_hash=self.acknowledged_hash,
            hash_at_hello=held.hash if held else None,
            layout_hash=layout_hash(self.layout) if self.layout else b"",
            quarantined=self.quarantined,
        )

    def apply(self, page: ApplyPage) -> int | None:
        """One transaction; the number of a row that is stored with another hash, then nothing is applied."""
        for row in page.rows:
            if row.seq in self.inbox and self.inbox[row.seq].hash != row.hash:
                return row.seq
        for row in page.rows:
            if row.seq in self.inbox and self.with_inbox_key:
                continue
            self.inbox[row.seq] = row
            (self.poison if isinstance(row.reading, Poison) else self.applied).append(row.seq)
        if page.rows[-1].seq > self.acknowledged_seq:
            self.acknowledged_seq, self.acknowledged_hash = page.rows[-1].seq, page.rows[-1].hash
        return None

    def copy(self) -> CloudDisk:
        """A backup."""
        return replace(
            self,
            inbox=dict(self.inbox),
            applied=list(self.applied),
            poison=list(self.poison),
            documents=list(self.documents),
            states=dict(self.states),
        )


@dataclass
class CloudEnd:
    """The centre's session with its hands: `out` are the frames it put on the line, `closed` is why it ended."""

    disk: CloudDisk
    out: deque[Frame] = field(default_factory=deque)
    refused: list[FrameRefused] = field(default_factory=list)
    closed: str | None = None
    last_states: States | None = None
    heard: deque[FromCoordinator | FromParticipant] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.session = CloudSession(cloud="lotgate", nonce=b"n" * 32, time_us=0)

    def start(self) -> None:
        self._do(self.session.start())

    def receive(self, data: bytes) -> None:
        self._do(self.session.receive(data))

    def documents_added(self) -> None:
        self._do(self.session.documents_added())

    def drain(self, delay_ms: int) -> None:
        self._do(self.session.drain(delay_ms))

    def say(self, frame: FromCoordinator) -> None:
        self._do(self.session.say(frame))

    def _do(self, effects: list[CloudEffect]) -> None:
        disk = self.disk
        for effect in effects:
            match effect:
                case Send(frame=frame):
                    self.out.append(frame)
                case Close(reason=reason):
                    self.closed = reason
                case FrameRefused():
                    self.refused.append(effect)
                case Identify(hello=hello):
                    self._do(self.session.identified(disk.record(hello)))
                case Begin(verdict=verdict, reason=reason):
                    disk.session += 1
                    disk.quarantined = reason if verdict == "fenced" else ""
                    self._do(self.session.begun(disk.session, 0))
                case StoreLayout(hash=stored, body=body):
                    disk.layout = body
                    self._do(self.session.layout_stored(stored))
                case StoreStates(states=states):
                    self.last_states = states
                    disk.states.update({row.spot: row for row in states.spots})
                    self._do(self.session.states_stored())
                case ApplyPage():
                    self._do(self._applied(effect))
                case Deliver(frame=heard):
                    self.heard.append(heard)
                case Quarantine(reason=reason):
                    disk.quarantined = reason
                case ReadDocuments(after_n=after, limit=limit):
                    self._do(self.session.documents_read(tuple(disk.documents[after : after + limit])))
                case DocumentsAcknowledged(n=n):
                    disk.documents_acknowledged = n
                case _:
                    pass

    def _applied(self, page: ApplyPage) -> list[CloudEffect]:
        if self.session.session != self.disk.session:
            return self.session.superseded()
        if self.disk.busy:
            self.disk.busy -= 1
            return self.session.refused("page", Busy("page", "too many lots at once"))
        forked_at = self.disk.apply(page)
        return self.session.page_applied() if forked_at is None else self.session.forked(forked_at)


@dataclass
class Line:
    """One connection and both sessions on it. `frames` is everything that was put on the line, in order."""

    edge_disk: EdgeDisk
    cloud_disk: CloudDisk
    pace: Pace = field(default_factory=lambda: Pace(PaceSettings(), 0.0))
    key: SigningKey = KEY
    now_s: float = 0.0
    page_rows: int = 500
    frames: list[Frame] = field(default_factory=list)
    refused: list[FrameRefused] = field(default_factory=list)
    closed: str | None = None
    drop_up: Callable[[Frame], bool] = lambda _: False
    drop_down: Callable[[Frame], bool] = lambda _: False

    def __post_init__(self) -> None:
        disk = self.edge_disk
        self.pace.rows = min(self.pace.rows, self.page_rows)
        self.edge = EdgeSession(
            EdgeFacts(
                gateway=GATEWAY,
                cloud="lotgate",
                epoch=disk.epoch,
                boot="b",
                last_seq=len(disk.rows),
                acknowledged_seq=disk.acknowledged_seq,
                acknowledged_hash=disk.acknowledged_hash,
                document_n=len(disk.documents),
                layout=LAYOUT,
                time_us=0,
                clock_quality="synced",
                software="test",
            ),
            sign=self.key.sign,
            pace=self.pace,
            times=EdgeTimes(states_at_least_s=SIGN_OF_LIFE_S),
            now_s=self.now_s,
        )
        self.cloud = CloudEnd(self.cloud_disk)
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.cloud.start()
        self._carry_down()

    def run(self, frames: int = 100_000) -> int:
        """Carry at most so many frames; how many were carried before the line was quiet, closed or cut."""
        for carried in range(frames):
            if self.closed is not None or not (self.up or self.down):
                return carried
            if self.up:
                self.cloud.receive(self.up.popleft())
                self._carry_down()
            else:
                self._do_edge(self.edge.receive(self.down.popleft(), self.now_s))
        return frames

    def wake(self, at_s: float | None = None, *, states_changed: bool = False) -> None:
        self.now_s = self.now_s if at_s is None else at_s
        self._do_edge(
            self.edge.wake(self.now_s, last_seq=len(self.edge_disk.rows), states_changed=states_changed)
        )

    def settle(self) -> None:
        """Run, letting time pass where the edge waits for it, until nothing is to be done but to show that it lives."""
        for _ in range(10_000):
            self.run()
            timer_s = self.edge.timer(self.now_s)
            if self.closed is not None or timer_s is None or timer_s - self.now_s > SIGN_OF_LIFE_S / 2:
                return
            self.wake(max(timer_s, self.now_s))
        raise AssertionError("the line never settles")

    def cut(self) -> None:
        self.edge.lost()
        self.closed = self.closed or "cut"

    def add_document(self, kind: str, body: bytes) -> None:
        self.cloud_disk.documents.append((len(self.cloud_disk.documents) + 1, kind, body))
        self.cloud.documents_added()
        self._carry_down()

    def _carry_down(self) -> None:
        while self.cloud.out:
            frame = self.cloud.out.popleft()
            self.frames.append(frame)
            if not self.drop_down(frame):
                self.down.append(encode(frame))
        self.refused += self.cloud.refused
        self.cloud.refused.clear()

    def _do_edge(self, effects: list[EdgeEffect]) -> None:
        disk = self.edge_disk
        for effect in effects:
            match effect:
                case Send(frame=frame):
                    self.frames.append(frame)
                    if not self.drop_up(frame):
                        self.up.append(encode(frame))
                case Close(reason=reason):
                    self.closed = reason
                case FrameRefused():
                    self.refused.append(effect)
                case ReadPage(after_seq=after, limit=limit):
                    rows = tuple(disk.rows[after : after + limit])
                    self._do_edge(self.edge.page_read(rows, disk.hash_at(after), self.now_s))
                case ReadStates(snapshot=snapshot):
                    content = StatesContent(
                        as_of_seq=len(disk.rows),
                        spots=tuple(disk.states.values() if snapshot else disk.dirty()),
                        counts=(CountRow(type="regular", total=3, sellable=2, holds_until_us=None),),
                    )
                    self._do_edge(self.edge.states_read(content, self.now_s))
                case StatesStored(rows=rows_stored):
                    disk.uploaded.update({row.spot: row.n for row in rows_stored})
                case Acknowledged(seq=seq, hash=row_hash):
                    if seq > disk.acknowledged_seq:
                        disk.acknowledged_seq, disk.acknowledged_hash = seq, row_hash
                case ApplyDocument(document=document):
                    disk.documents.append(document)
                    self._do_edge(self.edge.document_applied(document.n))
                case VerdictGiven(verdict=verdict):
                    disk.verdict = verdict
                case _:
                    pass
