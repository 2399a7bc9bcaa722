"""Whether the gateway that says hello is the one we know, or an old image, an emptied card or a stranger with its key.

Theory. What the centre has applied is the memory that no card can be put back behind. `fenced` means: exits and passes only, nothing is
sold and nothing is applied, until a person has recounted. A centre that is itself behind (restored from a backup) fences nobody for
it: it lacks the row to compare and asks for what it lacks. The whole of incarnations (token pairs, a new epoch, burn claims) comes with the
two-phase commit.

| what the hello says | verdict |
| --- | --- |
| quarantined before, by anything | fenced |
| a lower epoch than ours | fenced: an old life of this lot |
| a higher epoch than ours | fenced: we are the old life |
| its log ends before what we applied (an emptied ledger ends at 0) | fenced: an old image |
| another hash at the row that both hold | fenced: another log |
| else | ok |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync.messages import Hello


class Verdict(StrEnum):
    """What the centre says of a gateway."""

    OK = "ok"
    FENCED = "fenced"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRecord:
    """What the centre holds of a gateway.

    `hash_at_hello` is the stored hash of the row numbered `hello.acknowledged_seq` of this epoch, None where that row is not held.
    `quarantined` is the reason, empty where it is not. `acknowledged_hash` is not read while `acknowledged_seq` is 0.
    """

    gateway: str
    public_key: bytes
    epoch: int
    acknowledged_seq: int
    acknowledged_hash: bytes
    hash_at_hello: bytes | None
    layout_hash: bytes
    quarantined: str = ""


def judge(hello: Hello, record: GatewayRecord) -> tuple[Verdict, str]:
    """The verdict and its reason, in words for a person; the reason of `ok` is empty."""
    if record.quarantined:
        return Verdict.FENCED, record.quarantined
    if hello.epoch < record.epoch:
        return Verdict.FENCED, f"epoch {hello.epoch} is over, this lot is in epoch {record.epoch}"
    if hello.epoch > record.epoch:
        return Verdict.FENCED, f"the gateway is in epoch {hello.epoch}, the centre only in {record.epoch}"
    if hello.last_seq < record.acknowledged_seq:
        return (
            Verdict.FENCED,
            f"the log ends at {hello.last_seq}, the centre has applied up to {record.acknowledged_seq}",
        )
    if (
        hello.acknowledged_seq > 0
        and record.hash_at_hello is not None
        and record.hash_at_hello != hello.acknowledged_hash
    ):
        return Verdict.FENCED, f"row {hello.acknowledged_seq} is another one than the centre has applied"
    return Verdict.OK, ""
