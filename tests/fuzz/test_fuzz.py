"""Nothing that a stranger sends crashes a decoder, hangs it or fills the memory."""

from __future__ import annotations

import os

import pytest

from drivers.mqtt.decoder_registry import devices
from edge.decode_command import FORMATS
from tests.fuzz.decoders import DECODERS, Fuzzed
from tests.fuzz.harness import Figures, Hang, fuzz, keep, progress

SECONDS_A_DECODER = float(os.environ.get("LOTGATE_FUZZ_S", "60"))
A_FEW = 25

pytestmark = pytest.mark.filterwarnings(
    "ignore:Generating overly large repr"
)  # of a find, which it would hide


def test_every_device_and_every_format_is_fuzzed() -> None:
    assert {f"lorawan {name}" for name in devices()} | (set(FORMATS) - {"lorawan"}) <= set(DECODERS)


@pytest.mark.parametrize("name", [name for name, decoder in DECODERS.items() if decoder.seeds])
def test_a_seed_is_a_message_that_is_understood(name: str) -> None:
    for seed in DECODERS[name].seeds:
        DECODERS[name].decode(seed)


@pytest.mark.parametrize("name", DECODERS)
def test_a_few_inputs_disturb_no_decoder(name: str) -> None:
    fuzz(DECODERS[name], Figures(), rounds=1, inputs_a_round=A_FEW)


@pytest.mark.parametrize(
    ("decode", "find"),
    [
        (lambda data: data[3], IndexError),
        (lambda data: bytearray(40_000_000 if data else 0), AssertionError),
    ],
)
def test_the_harness_finds_what_is_wrong(decode: object, find: type[Exception]) -> None:
    assert callable(decode)
    with pytest.raises(find):
        fuzz(Fuzzed(decode=decode), Figures(), rounds=1, inputs_a_round=100)


def test_a_hang_is_found_where_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.harness.LONGEST_CALL_S", 0.05)

    def for_ever(data: bytes) -> None:
        while data:
            pass

    with pytest.raises(Hang):
        fuzz(Fuzzed(decode=for_ever), Figures(), rounds=1, inputs_a_round=5)


@pytest.mark.proof
@pytest.mark.parametrize("name", DECODERS)
def test_a_minute_of_inputs_disturbs_no_decoder(name: str) -> None:
    """Interrupted, it goes on where it was; with other sources it begins anew."""
    figures = progress(name)
    while figures.seconds < SECONDS_A_DECODER:
        fuzz(DECODERS[name], figures, rounds=1)
        keep(name, figures)
