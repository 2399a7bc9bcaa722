"""kill -9 at any instant: what was said to be durable is there, and the ledger is one chain (complaints row 8, issue section 8)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from edge.ledger import Ledger
from edge.store.store import AFTER_COMMIT, BEFORE_COMMIT
from parking.ids import ClaimId, SpotId, StayId
from sync.chain import genesis, unpack_envelope, verify
from sync.messages import LogRow
from tests.integration.edge.conftest import Premises, small_lot

ROOT = Path(__file__).parents[3]
Said = list[list[object]]


def live_and_die(
    folder: Path, start: int, *, after_lines: int | None, failpoint: str = "", early: bool = False
) -> Said:
    """Run the busy lot until it has said so many lines, kill it -9, and answer with every whole line of the pipe."""
    environment: Mapping[str, str] = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LOTGATE_FAILPOINT": failpoint,
        "EARLY": "1" if early else "",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.edge.busy_lot", str(folder), str(start)],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )
    assert process.stdout is not None
    said: list[bytes] = []
    for line in process.stdout:
        said.append(line)
        if after_lines is not None and len(said) >= after_lines:
            process.kill()
            after_lines = None
    process.stdout.close()
    assert process.wait() == -9
    return [json.loads(line) for line in said if line.endswith(b"\n")]


def assert_all_is_there(ledger: Ledger, said: Said) -> None:
    """What was said is in memory, on disk and in the chain."""
    stays = {str(words[1]): words for words in said if words[0] == "stay"}
    left = {str(words[1]) for words in said if words[0] == "left"}
    open_ids = {stay.id for stay in ledger.open_stays()}
    for stay_id, words in stays.items():
        stay = ledger.stay(StayId(stay_id))
        assert stay is not None
        assert int(str(words[3])) <= ledger.last_seq
        assert (StayId(stay_id) in open_ids) or stay.left_at is not None
        if StayId(stay_id) in open_ids:
            assert ledger.book.claim(ClaimId(str(words[2]))).binds
    assert not left & open_ids
    for words in said:
        if words[0] == "spot":
            state = ledger.spot_state(SpotId(str(words[1])), "edge:1")
            assert state is not None
            assert state.n >= int(str(words[2]))


def assert_the_log_is_one_chain(ledger: Ledger) -> None:
    rows: list[LogRow] = []
    seq, last = 0, genesis("gateway-1", 1)
    while page := ledger.log_page(seq, 1_000):
        last = verify(last, page)
        rows += page
        seq = page[-1].seq
    assert [row.seq for row in rows] == list(range(1, ledger.last_seq + 1))
    assert last == ledger.last_hash
    told = [unpack_envelope(row.body) for row in rows]
    stays = {body["stay"]["id"] for e in told if isinstance((body := e.body).get("stay"), dict)}  # type: ignore[index]  # a body is plain data
    assert {stay.id for stay in ledger.open_stays()} <= stays


async def survive(folder: Path, kills: int, seed: int) -> int:
    random = Random(seed)
    said: Said = []
    for start in range(1, kills + 1):
        said += live_and_die(folder, start, after_lines=random.randint(1, 1_500))
        premises = Premises(folder, small_lot(100))
        ledger = premises.start()
        assert ledger.losses == (), f"seed {seed}, kill {start}"
        assert_all_is_there(ledger, said)
        assert_the_log_is_one_chain(ledger)
        await ledger.close()
    return len(said)


async def test_nothing_acknowledged_is_missing_after_ten_kills_at_random_moments(tmp_path: Path) -> None:
    assert await survive(tmp_path, kills=10, seed=1) > 500


@pytest.mark.proof
async def test_nothing_acknowledged_is_missing_after_fifty_kills_at_random_moments(tmp_path: Path) -> None:
    assert await survive(tmp_path, kills=50, seed=2) > 5_000


@pytest.mark.parametrize("label", [BEFORE_COMMIT, AFTER_COMMIT])
@pytest.mark.parametrize("nth", [1, 2, 7])
async def test_a_death_on_either_side_of_the_commit_loses_nothing(
    tmp_path: Path, label: str, nth: int
) -> None:
    said = live_and_die(tmp_path, 1, after_lines=None, failpoint=f"{label}:{nth}")
    premises = Premises(tmp_path, small_lot(100))
    ledger = premises.start()
    assert_all_is_there(ledger, said)
    assert_the_log_is_one_chain(ledger)
    await ledger.close()


async def test_a_build_that_acknowledges_before_the_commit_is_caught(tmp_path: Path) -> None:
    said = live_and_die(tmp_path, 1, after_lines=None, failpoint=f"{BEFORE_COMMIT}:7", early=True)
    ledger = Premises(tmp_path, small_lot(100)).start()
    with pytest.raises(AssertionError):
        assert_all_is_there(ledger, said)
    await ledger.close()
