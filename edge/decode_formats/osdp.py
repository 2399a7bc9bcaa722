"""Packets of an OSDP bus: one, or several as they followed each other; with the key the secure channel is followed too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from drivers.errors import MalformedInput
from drivers.key_file import read_key
from drivers.osdp.framing import PacketFramer
from drivers.osdp.packet import MARK, Packet, declared_length, decode_packet
from drivers.osdp.payloads import as_json
from drivers.osdp.secure_channel import Conversation
from edge.decode_question import Format, Option, Question, WrongUsage

KEY_FILE = Option(
    flag="--key-file",
    metavar="FILE",
    help="32 hexadecimal digits: the reader's key (SCBK), to check and decrypt a session from its challenge on",
)


def _answer(question: Question) -> Mapping[str, object]:
    packets = _packets(question.data)
    key_file = question.option("--key-file")
    if key_file is None:
        said: list[Mapping[str, object]] = [as_json(packet) for packet in packets]
    else:
        conversation = Conversation(_key(Path(key_file)))
        said = [_followed(conversation, packet) for packet in packets]
    return {"format": "osdp", **said[0]} if len(said) == 1 else {"format": "osdp", "packets": said}


def _followed(conversation: Conversation, packet: Packet) -> Mapping[str, object]:
    plain = conversation.hear(packet)
    return as_json(packet, plain if packet.mac else None)


def _packets(data: bytes) -> Sequence[Packet]:
    """Cut the input into packets; input that holds one packet, or a part of one, is told what is wrong with that."""
    data = data.lstrip(bytes([MARK]))
    if len(data) <= declared_length(data):
        return [decode_packet(data)]
    framer = PacketFramer()
    packets: list[Packet] = []
    for found in [*framer.feed(data), *framer.quiet()]:
        if not isinstance(found, Packet):
            raise MalformedInput(found.field, found.problem)
        packets.append(found)
    return packets


def _key(path: Path) -> bytes:
    try:
        return read_key(path)
    except (OSError, MalformedInput) as refused:
        raise WrongUsage(f"--key-file {path}: {refused}") from refused


FORMAT = Format(answer=_answer, options=(KEY_FILE,))
