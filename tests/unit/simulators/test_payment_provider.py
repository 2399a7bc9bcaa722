"""The provider's simulator by itself: its rules, its time, its seed. What it has in common with the real one is in tests/contract/payments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from parking.clock import CivilScale, ScaledClock
from simulators.provider.account import Account, Habits
from simulators.provider.agenda import Agenda
from simulators.provider.forms import read_form
from simulators.provider.idempotency import KEPT, Answer, IdempotencyKeys
from simulators.provider.money import Intent
from simulators.provider.provider import Provider, ProviderPlan
from simulators.provider.refusals import Refusal
from simulators.record import Record, read_record

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Watch:
    """Real seconds that move when told."""

    def __init__(self) -> None:
        self.s = 0.0

    def clock(self, speed: float = 1.0) -> ScaledClock:
        return ScaledClock(
            source=lambda: self.s, scale=CivilScale(anchor_at=NOON, anchor_monotonic=0.0, speed=speed)
        )


@pytest.fixture
def watch() -> Watch:
    return Watch()


def account(watch: Watch, seed: int = 1) -> tuple[Account, list[str]]:
    from random import Random

    events: list[str] = []

    def tell(kind: str, intent: Intent, shown: dict[str, object]) -> None:
        events.append(kind)

    agenda = Agenda(watch.clock(), civil=True)
    return Account(agenda=agenda, draw=Random(seed), habits=Habits(), tell=tell), events


def test_the_same_seed_gives_the_same_ids(watch: Watch) -> None:
    made = [
        str(account(watch, seed)[0].create({"amount": "500", "currency": "eur"})["id"]) for seed in (1, 1, 2)
    ]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(("speed", "civil", "real_s"), [(60, True, 1), (60, False, 60), (1, True, 60)])
def test_the_providers_minute_is_civil_or_real_as_told(
    watch: Watch, speed: float, *, civil: bool, real_s: float
) -> None:
    agenda = Agenda(watch.clock(speed), civil=civil)
    done: list[str] = []
    agenda.after(timedelta(minutes=1), lambda: done.append("minute"))
    watch.s = real_s - 0.1
    agenda.catch_up()
    assert done == []
    watch.s = real_s + 0.1
    agenda.catch_up()
    assert done == ["minute"]


def test_what_is_due_is_done_in_the_order_of_its_instants(watch: Watch) -> None:
    agenda = Agenda(watch.clock(), civil=True)
    done: list[int] = []
    for delay in (3, 1, 2, 1):
        agenda.after(timedelta(seconds=delay), lambda delay=delay: done.append(delay))  # type: ignore[misc]  # a default binds it
    agenda.advance(timedelta(seconds=10))
    assert done == [1, 1, 2, 3]


def test_forms_carry_groups_and_lists() -> None:
    form = read_form("amount=5&metadata[payment]=x%5B&expand[]=a&expand[]=b&card[exp][year]=1")
    assert form == {
        "amount": "5",
        "metadata": {"payment": "x["},
        "expand": {"0": "a", "1": "b"},
        "card": {"exp": {"year": "1"}},
    }


@pytest.mark.parametrize("text", ["a=1&a[b]=2", "expand=x&expand[]=y"])
def test_a_field_that_is_value_and_group_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        read_form(text)


@pytest.mark.parametrize(
    "form",
    [
        {"amount": "49", "currency": "eur"},
        {"amount": "abc", "currency": "eur"},
        {"amount": "-5", "currency": "eur"},
        {"amount": "500"},
        {"currency": "eur"},
        {"amount": "500", "currency": "eur", "surprise": "1"},
        {"amount": "500", "currency": "eur", "metadata": "flat"},
    ],
)
def test_a_create_that_is_wrong_makes_nothing(watch: Watch, form: dict[str, object]) -> None:
    made, events = account(watch)
    with pytest.raises(Refusal) as refused:
        made.create(form)
    assert (refused.value.status, refused.value.began, events) == (400, False, [])


def test_a_key_gives_its_first_answer_for_a_day(watch: Watch) -> None:
    now = [NOON]
    keys = IdempotencyKeys(lambda: now[0])
    assert keys.begin("k", "ask") is None
    with pytest.raises(Refusal, match="in-progress"):
        keys.begin("k", "ask")
    keys.end("k", Answer(status=500, body={}))
    assert keys.begin("k", "ask") == Answer(status=500, body={})
    with pytest.raises(Refusal, match="same parameters"):
        keys.begin("k", "other")
    now[0] += KEPT
    assert keys.begin("k", "other") is None
    keys.end("k", None)
    assert keys.begin("k", "third") is None, "what never began left nothing under its key"


async def test_orders_that_are_none_are_named(watch: Watch, tmp_path: Path) -> None:
    with Record(tmp_path / "r.jsonl", watch.clock()) as record:
        provider = Provider(ProviderPlan(), clock=watch.clock(), record=record, wall=time.time)
        from simulators.provider.orders import ORDER

        with pytest.raises(Refusal, match="No such payment_intent"):
            await provider.obey(ORDER.validate_python({"do": "lapse", "intent": "pi_none"}))
        with pytest.raises(ValueError, match="do"):
            ORDER.validate_python({"do": "explode"})
        await provider.webhooks.close()


# as a process


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[str, Path, subprocess.Popen[bytes]]]:
    port_file, record = tmp_path / "port", tmp_path / "payments.jsonl"
    started = subprocess.Popen(
        [sys.executable, "-m", "simulators.payment_provider", "--port", "0", "--port-file", port_file,
         "--record", record, "--seed", "7"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while not port_file.exists():
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield f"http://127.0.0.1:{int(port_file.read_text())}", record, started
    if started.poll() is None:
        started.kill()
    started.wait()


def test_the_process_serves_keeps_its_record_and_ends_in_order(
    process: tuple[str, Path, subprocess.Popen[bytes]],
) -> None:
    base, record, running = process
    answer = httpx.post(
        f"{base}/v1/payment_intents",
        data={"amount": "500", "currency": "eur", "metadata[payment]": "p"},
        headers={"Authorization": "Bearer sk_test_x", "Stripe-Version": "2026-10-28.endive"},
    )
    intent = answer.json()
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"
    assert (intent["object"], intent["status"]) == ("payment_intent", "requires_payment_method")
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=10) == 0
    lines = [line for line in read_record(record) if line["what"] == "intent"]
    assert [(line["id"], line["did"], line["metadata"]) for line in lines] == [
        (intent["id"], "created", {"payment": "p"})
    ]
