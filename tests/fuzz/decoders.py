"""Every decoder of what a stranger sends, as one call with bytes: a new one is one line here, if it is in no table already.

Devices of `drivers/mqtt/decoders`, formats of `edge/decode_formats`, cameras and reader styles are found by themselves. A decoder raises
`MalformedInput` and nothing else; what it returns is not looked at. Seeds are good messages, from which the harness makes bad ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from drivers.ble.barrier_profile import read_state
from drivers.ble.beacons import read_advertisement
from drivers.ble.bthome import read_bthome
from drivers.ble.sightings import KnownDevice, Sightings, Speech
from drivers.ble.vendor_data import Place as TermPlace
from drivers.ble.vendor_data import VendorLayout
from drivers.camera.understanding import names as cameras
from drivers.camera.understanding import understand
from drivers.modbus.frames import FrameCutter
from drivers.mqtt.decoder_registry import decoder_of, devices
from drivers.mqtt.plain_json import JsonMapping, Place, read_plain_json
from drivers.mqtt.sparkplug import SparkplugHost, SparkplugSettings
from drivers.osdp.bus_watch import BusWatch
from drivers.osdp.framing import PacketFramer
from drivers.osdp.packet import Packet
from drivers.osdp.secure_channel import Conversation
from drivers.printer.status import PrinterStyle, StatusReader
from drivers.serial_port.lines import LineReader, ReaderStyle, ReaderTalk
from drivers.serial_port.wrapping import Checksum, Wrapping
from drivers.terminal.messages import read_answer
from edge.decode_command import FORMATS
from edge.decode_question import Question
from parking.plates import settled
from simulators.wire.camera import CAMERAS, Seen
from simulators.wire.envelopes import Published, Transmission, chirpstack_up, plain_json, things_stack_up
from simulators.wire.sensor_frames import FRAMES, SensorFrame, SensorState
from simulators.wire.sparkplug_node import SparkplugNode

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
SEEN = Seen(plate="BD51 SMR", number=42)
SENT = Transmission(
    device_eui="0004a30b001c0530",
    device="bosch/tps110",
    frame=SensorFrame(2, b"\x01\x12"),
    f_cnt=7,
    received_at=AT,
    identity="3ac7e3c4",
)
MAPPING = JsonMapping(
    device=Place("$.id"),
    occupied=Place("$.state"),
    key=Place("$.message"),
    occurred_at=Place("$.at"),
    attributes={"deep": Place("$.a[0].b[-1]")},
)
# Publicly documented messages, as in tests/unit/drivers: SIA OSDP annex E, bthome.io, Apple's and Google's beacons.
OPTIONS: dict[str, dict[str, str]] = {"zigbee2mqtt": {"--topic": "zigbee2mqtt/gate"}}
SEEDS: dict[str, tuple[bytes, ...]] = {
    "chirpstack": (chirpstack_up(SENT).body,),
    "tts": (things_stack_up(SENT).body,),
    "sparkplug": tuple(message.body for message in SparkplugNode(now_ms=lambda: 1_732_435_200_000).birth()),
    "zigbee2mqtt": (
        b'{"contact": true, "battery": 97, "occupancy": null, "last_seen": 1710237618123, "state_l1": "ON"}',
        b'{"occupancy": true, "action": "tilt", "last_seen": "2024-03-12T11:00:18+01:00"}',
    ),
    "bthome": (bytes.fromhex("4002ca0903bf13"), bytes.fromhex("40230101640c020c")),
    "ble": (
        bytes.fromhex("0201061aff4c000215f7826da64fa24e988024bc5b71e0893e00010011c5"),
        bytes.fromhex("0303aafe1116aafe20000bad15800000126700057e40"),
    ),
    "osdp": (bytes.fromhex("537f0d00046e00802500006e38"), bytes.fromhex("53e50700014080")),
    "anpr": tuple(camera(SEEN).body for camera in CAMERAS.values()),
    "serial": (b"\x02010063E9AE25\x03", b"T1 \r]Q1T2\r"),
}
WRAPPED = ReaderTalk(wrapping=Wrapping(prefix="%", suffix="?", checksum=Checksum.XOR))
LINES: dict[ReaderStyle, bytes] = {
    ReaderStyle.EM4100: bytes.fromhex("0230313030363345394145323503"),
    ReaderStyle.WIEGAND: b"8260730\r\n",
    ReaderStyle.WIEGAND_TEXT: b"126,12345\r\n",
    ReaderStyle.UID: b"04A1B2C3\r\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzzed:
    """One decoder: what is called, and good messages."""

    decode: Callable[[bytes], object]
    seeds: tuple[bytes, ...] = ()


def _device(name: str) -> Fuzzed:
    """The first byte is the port."""
    decode = decoder_of(name)
    seeds: list[bytes] = []
    if name in FRAMES:
        for heartbeat in (False, True):
            frame = FRAMES[name](SensorState(occupied=True, sequence=7, sent_at=AT, heartbeat=heartbeat))
            seeds.append(bytes([frame.f_port]) + frame.payload)
    return Fuzzed(decode=lambda data: decode(data[1:], data[0]) if data else None, seeds=tuple(seeds))


def _format(name: str) -> Fuzzed:
    form, options = FORMATS[name], OPTIONS.get(name, {})
    return Fuzzed(
        decode=lambda data: form.answer(Question(data=data, options=options)), seeds=SEEDS.get(name, ())
    )


def _camera(name: str) -> Fuzzed:
    sent = CAMERAS[name](SEEN)
    return Fuzzed(decode=lambda data: understand(name, sent.content_type, data), seeds=(sent.body,))


def _reader(style: ReaderStyle) -> Fuzzed:
    return Fuzzed(
        decode=lambda data: list(LineReader("reader", ReaderTalk(style=style)).feed(data)),
        seeds=(LINES.get(style, b"T1 \r"),),
    )


def _printer(style: PrinterStyle) -> Fuzzed:
    def decode(data: bytes) -> object:
        reader = StatusReader(style)
        reader.asked()
        reader.waits()
        return reader.feed(data)

    return Fuzzed(decode=decode, seeds=(b"\x12\x12\x12\x12", b"\x10\x0f\x00\x00"))


def _sparkplug_host() -> Fuzzed:
    """A node's whole life as one input: messages that each begin with their kind and their length."""
    node = SparkplugNode(now_ms=lambda: 1_732_435_200_000)
    life = [*node.birth(), node.data("A1", taken=True), node.device_death(), node.death()]
    kinds = ("NBIRTH", "DBIRTH", "DDATA", "NDATA", "DDEATH", "NDEATH", "NCMD", "STATE")

    def written(message: Published) -> bytes:
        kind = kinds.index(message.topic.split("/")[2])
        return bytes([kind]) + len(message.body).to_bytes(2, "big") + message.body

    def decode(data: bytes) -> object:
        settings = SparkplugSettings(spots=("spot/*/occupied",))
        host = SparkplugHost(settings, now=lambda: AT, monotonic=lambda: 0.0)
        while data:
            size = int.from_bytes(data[1:3], "big")
            topic = node.topic(kinds[data[0] % len(kinds)])
            host.hear(topic, data[3 : 3 + size], retained=False)
            data = data[3 + size :]
        return None

    return Fuzzed(decode=decode, seeds=(b"".join(written(message) for message in life),))


def _osdp_line() -> Fuzzed:
    """Both sides of a line, as the driver's listener hears them."""
    seeds = ("530513000c03110176b0b1b2b3b4b5b6b7", "53850800054040", "ff5305080004609e89")

    def decode(data: bytes) -> object:
        watch = BusWatch({5: bytes(range(16))})
        return watch.said(data), watch.heard(data), watch.said(b"")

    return Fuzzed(decode=decode, seeds=tuple(bytes.fromhex(seed) for seed in seeds))


def _osdp_session() -> Fuzzed:
    """SIA OSDP, annex E: the challenge of the printed example, with its key."""
    seed = "530513000c03110076b0b1b2b3b4b5b6b7a41a"

    def decode(data: bytes) -> object:
        conversation = Conversation(bytes(range(0x30, 0x40)))
        packets = [found for found in PacketFramer().feed(data) if isinstance(found, Packet)]
        return [conversation.hear(packet) for packet in packets]

    return Fuzzed(decode=decode, seeds=(bytes.fromhex(seed),))


def _on_air(speech: Speech) -> Fuzzed:
    """A device of the lot that speaks so; the whole input is its advertisement."""
    layout = VendorLayout(
        company=0x0822, terms={"car": TermPlace(at=0, bit=0), "level": TermPlace(at=1, size=4)}
    )
    address = b"" if speech is Speech.IBEACON else bytes(6)
    device = KnownDevice(
        name="spot",
        speech=speech,
        address=address or None,
        beacon="f7826da6-4fa2-4e98-8024-bc5b71e0893e/1/17" if not address else None,
        layout=layout if speech is Speech.VENDOR else None,
    )

    def decode(data: bytes) -> object:
        air = Sightings(devices=[device], lost_s=900, again_s=300, began_at=0.0)
        return air.take(address, read_advertisement(data), 1.0)

    return Fuzzed(decode=decode, seeds=SEEDS["ble"])


_PLAIN = plain_json("d", occupied=True, message_id="m", sent_at=AT)

DECODERS: dict[str, Fuzzed] = {
    **{f"lorawan {name}": _device(name) for name in devices()},
    **{name: _format(name) for name in FORMATS if name != "lorawan"},
    **{f"camera {name}": _camera(name) for name in cameras()},
    **{f"reader {style}": _reader(style) for style in ReaderStyle},
    "reader wrapped": Fuzzed(
        decode=lambda data: list(LineReader("reader", WRAPPED).feed(data)), seeds=(b"%T1<65?\r",)
    ),
    "plate": Fuzzed(
        decode=lambda data: settled(data[1:].decode(errors="replace"), "GB" if data[:1] == b"G" else "NL"),
        seeds=(b"GBD51 SMR", "NGB-OO1-Ö".encode()),
    ),
    **{f"printer {style}": _printer(style) for style in PrinterStyle},
    "plain json": Fuzzed(
        decode=lambda data: read_plain_json(data, _PLAIN.topic, MAPPING), seeds=(_PLAIN.body,)
    ),
    "sparkplug host": _sparkplug_host(),
    "modbus answers": Fuzzed(
        decode=lambda data: FrameCutter().feed(data),
        seeds=(bytes.fromhex("110203acdb352018"), bytes.fromhex("110500acff004e8b1185030354")),
    ),
    "osdp line": _osdp_line(),
    "osdp session": _osdp_session(),
    "bthome with its key": Fuzzed(
        decode=lambda data: read_bthome(
            data,
            address=bytes.fromhex("5448e68f80a5"),
            key=bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932"),
        ),
        seeds=(bytes.fromhex("41a47266c95f730011223378237214"),),
    ),
    **{f"ble {speech}": _on_air(speech) for speech in Speech},
    "ble barrier": Fuzzed(decode=read_state, seeds=(b"\x3f\x05\x01",)),
    "terminal": Fuzzed(decode=read_answer, seeds=(b'{"key": "k", "result": "approved"}',)),
}
