"""Power cuts that tear files (complaints row 25): the agent starts, and says what it lost; where the log is shorter, it sells nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from edge.store.opening import Witness, read_witness, write_witness
from sync.chain import genesis, unpack_envelope, verify
from tests.integration.edge.conftest import Premises, small_lot

CARS = 8
HARMS: dict[str, Callable[[bytes], bytes | None]] = {
    "gone": lambda _: None,
    "empty": lambda _: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "zeroed": lambda whole: bytes(len(whole)),
    "noise": lambda whole: Random(7).randbytes(len(whole)),
    "one page torn": lambda whole: whole[:8192] + bytes(4096) + whole[12288:],
}


async def a_card(folder: Path, *, running: bool) -> int:
    """A card as it was taken out of a running, or of an orderly stopped, agent; how far its log reached."""
    first = folder / "first"
    first.mkdir()
    premises = Premises(first, small_lot())
    ledger = premises.start()
    for _ in range(CARS):
        change, _, _ = premises.admit(ledger)
        await ledger.commit(change, urgent=True)
    write_witness(premises.path, Witness(epoch=1, seq=ledger.last_seq))
    last_seq = ledger.last_seq
    if not running:
        await ledger.close()
    for file in first.iterdir():
        shutil.copy(file, folder / file.name)
    await ledger.close()
    return last_seq


def harm(path: Path, how: str) -> None:
    harmed = HARMS[how](path.read_bytes())
    if harmed is None:
        path.unlink()
    else:
        path.write_bytes(harmed)


@pytest.mark.parametrize("how", HARMS)
@pytest.mark.parametrize(
    ("name", "running"),
    [
        ("ledger.sqlite", True),
        ("ledger.sqlite", False),
        ("ledger.sqlite-wal", True),
        ("ledger.sqlite-shm", True),
        ("ledger.sqlite.witness", True),
        ("ledger.sqlite.lock", True),
    ],
)
async def test_a_torn_file_never_keeps_the_agent_from_starting(
    tmp_path: Path, how: str, name: str, running: bool
) -> None:
    last_seq = await a_card(tmp_path, running=running)
    harm(tmp_path / name, how)
    premises = Premises(tmp_path, small_lot())
    premises.skip(100)
    ledger = premises.start()
    # the start itself is one more fact
    if ledger.last_seq < last_seq + 1:
        assert ledger.losses
    else:
        assert len(ledger.open_stays()) == CARS
    assert (ledger.verdict == "fenced") is bool(ledger.losses)
    assert ledger.may_sell is not bool(ledger.losses)
    change, stay, _ = premises.admit(ledger)
    await ledger.commit(change, urgent=True)  # what happens is recorded all the same
    await ledger.close()
    again = premises.start()
    assert again.stay(stay.id) == stay
    assert again.verdict == ledger.verdict
    await again.close()


async def test_cutting_the_write_ahead_log_anywhere_leaves_whole_transactions(tmp_path: Path) -> None:
    await a_card(tmp_path, running=True)
    whole = (tmp_path / "ledger.sqlite-wal").read_bytes()
    ends = set()
    for length in range(0, len(whole), 4_133):
        cut = tmp_path / str(length)
        cut.mkdir()
        shutil.copy(tmp_path / "ledger.sqlite", cut / "ledger.sqlite")
        (cut / "ledger.sqlite-wal").write_bytes(whole[:length])
        premises = Premises(cut, small_lot())
        premises.skip(100)
        ledger = premises.start()
        rows = ledger.log_page(0, 1_000)
        assert verify(genesis("gateway-1", 1), rows) == ledger.last_hash
        told = [unpack_envelope(row.body) for row in rows]
        admitted = {e.body["stay"]["id"] for e in told if e.kind == "stay_admitted"}  # type: ignore[index]  # a body is plain data
        assert admitted == {stay.id for stay in ledger.open_stays()}
        assert len(ledger.book.claims()) == len(admitted)
        ends.add(len(admitted))
        await ledger.close()
    assert len(ends) > 3


async def test_what_can_be_read_of_a_torn_ledger_is_saved_and_the_torn_file_is_kept(tmp_path: Path) -> None:
    premises = Premises(tmp_path, small_lot(500))
    ledger = premises.start()
    for _ in range(300):
        change, _, _ = premises.admit(ledger)
        await ledger.commit(change)
    await ledger.close()
    whole = premises.path.read_bytes()
    premises.path.write_bytes(whole[: len(whole) // 2])
    again = premises.start()
    assert 0 < len(again.open_stays()) < 300
    assert "is set aside" in again.losses[0]
    assert (tmp_path / "ledger.sqlite.broken-1").exists()
    assert again.verdict == "fenced"


async def test_an_emptied_ledger_is_fenced_by_its_witness(tmp_path: Path) -> None:
    await a_card(tmp_path, running=False)
    (tmp_path / "ledger.sqlite").unlink()
    ledger = Premises(tmp_path, small_lot()).start()
    assert ledger.fenced_because is not None
    assert "count the cars" in ledger.fenced_because
    await ledger.close()


async def test_an_old_image_is_fenced_by_its_witness(tmp_path: Path) -> None:
    last_seq = await a_card(tmp_path, running=False)
    write_witness(tmp_path / "ledger.sqlite", Witness(epoch=1, seq=last_seq + 5))
    ledger = Premises(tmp_path, small_lot()).start()
    assert ledger.verdict == "fenced"
    await ledger.close()


async def test_a_first_start_is_not_fenced(premises: Premises) -> None:
    assert read_witness(premises.path) is None
    assert premises.start().verdict == "ok"


async def test_a_damaged_record_is_kept_aside_and_the_rest_of_the_log_flows(premises: Premises) -> None:
    ledger = premises.start()
    for _ in range(4):
        change, _, _ = premises.admit(ledger)
        await ledger.commit(change)
    rows = ledger.log_page(0, 100)
    await ledger.acknowledge(3, rows[2].hash)
    await ledger.close()
    other = sqlite3.connect(premises.path)
    other.execute("UPDATE log SET body = x'c1ff' WHERE seq = 5")
    other.commit()
    other.close()

    again = premises.start()
    assert again.losses == ("row 5 of the log was damaged and is kept aside",)
    pages = again.log_page(3, 100)
    assert verify(rows[2].hash, pages) == again.last_hash
    told = [unpack_envelope(row.body) for row in pages]
    assert [e.seq for e in told] == list(range(4, again.last_seq + 1))
    assert (told[1].kind, told[1].body["field"]) == ("record_quarantined", "5")
    assert premises.store.rows("last_quarantine", limit=1)[0]["source"] == "log"
    assert again.verdict == "ok"  # no promise and no stay is lost: the row's facts are in their tables
    assert len(again.open_stays()) == 4


async def test_a_flipped_bit_in_a_record_is_found_though_it_is_a_record_still(premises: Premises) -> None:
    ledger = premises.start()
    for _ in range(2):
        change, _, _ = premises.admit(ledger)
        await ledger.commit(change)
    body = ledger.log_page(2, 1)[0].body
    await ledger.close()
    other = sqlite3.connect(premises.path)
    other.execute("UPDATE log SET body = ? WHERE seq = 3", (body.replace(b"entry-1", b"entry-9"),))
    other.commit()
    other.close()
    again = premises.start()
    assert verify(genesis("gateway-1", 1), again.log_page(0, 100)) == again.last_hash
    assert again.losses == ("row 3 of the log was damaged and is kept aside",)


async def test_a_row_that_cannot_be_read_is_named_and_the_others_count(premises: Premises) -> None:
    ledger = premises.start()
    for _ in range(3):
        change, _, _ = premises.admit(ledger)
        await ledger.commit(change)
    await ledger.close()
    other = sqlite3.connect(premises.path)
    other.execute("UPDATE claims SET kind = 'nonsense' WHERE id = 'claim-2'")
    other.execute("UPDATE stays SET type = 'nonsense' WHERE id = 'stay-3'")
    other.commit()
    other.close()
    again = premises.start()
    assert [claim.id for claim in again.book.claims()] == ["claim-1", "claim-3"]
    assert [stay.id for stay in again.open_stays()] == ["stay-1", "stay-2"]
    assert len(again.losses) == 2
