"""A Sparkplug B payload: protobuf in, metrics out, and back. Next: drivers/mqtt/sparkplug_node.py.

Of a metric in a data message often only its alias travels, neither name nor datatype; its number is then read as its birth declared it.
Negative integers travel as two's complement in an unsigned field. Templates, data sets, properties and extensions are passed over.

Source: Eclipse Sparkplug 3.0.0, chapter 6 "Payloads" and its schema `sparkplug_b.proto` (package org.eclipse.tahu.protobuf, Eclipse
Tahu), whose fields are described below by their numbers. Texts are declared as bytes: their UTF-8 is checked here, where it has a name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from drivers.errors import MalformedInput
from drivers.mqtt.json_body import checked_text

LARGEST_BODY_BYTES = 256 * 1024
MOST_METRICS = 5_000
LONGEST_VALUE = 4_096
PACKAGE = "org.eclipse.tahu.protobuf"

Value = bool | int | float | str | bytes | None


class DataType(IntEnum):
    """What a metric's value is; the names and numbers are the specification's."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19


TYPES = {each.value: each for each in DataType}
SIGNED_BITS = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
UNSIGNED_BITS = {
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
    DataType.DATETIME: 64,
}
# Which field may carry a value of which type, and what the value is where nobody declared a type.
FIELD_BITS = {"int_value": 32, "long_value": 64}
UNDECLARED = {
    "int_value": DataType.INT32,
    "long_value": DataType.INT64,
    "float_value": DataType.FLOAT,
    "double_value": DataType.DOUBLE,
    "boolean_value": DataType.BOOLEAN,
    "string_value": DataType.STRING,
    "bytes_value": DataType.BYTES,
    "dataset_value": DataType.DATASET,
    "template_value": DataType.TEMPLATE,
}
FIELDS_OF: Mapping[DataType, frozenset[str]] = {
    **dict.fromkeys((*SIGNED_BITS, *UNSIGNED_BITS), frozenset(FIELD_BITS)),
    DataType.FLOAT: frozenset({"float_value", "double_value"}),
    DataType.DOUBLE: frozenset({"float_value", "double_value"}),
    DataType.BOOLEAN: frozenset({"boolean_value"}),
    DataType.STRING: frozenset({"string_value"}),
    DataType.TEXT: frozenset({"string_value"}),
    DataType.UUID: frozenset({"string_value"}),
    DataType.BYTES: frozenset({"bytes_value"}),
    DataType.FILE: frozenset({"bytes_value"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric as it travelled; `field` names the field of the value, None where there is no value.

    `datatype` is None where it was left out, and a bare number where the specification has no such type. Milliseconds since 1970.
    """

    name: str | None = None
    alias: int | None = None
    timestamp_ms: int | None = None
    datatype: int | None = None
    field: str | None = None
    value: Value = None
    is_historical: bool = False
    is_null: bool = False

    def read(self, declared: int | None = None) -> Value:
        """The value as its type (else the one `declared` by its birth, else its field's) means it; None for null and for what is not read.

        Raises:
            MalformedInput: the value does not fit its type.
        """
        datatype = self.type_of(declared)
        if self.is_null or self.field is None or datatype is None or datatype not in FIELDS_OF:
            return None
        label = self.name or f"alias {self.alias}"
        if self.field not in FIELDS_OF[datatype]:
            raise MalformedInput(label, f"a value of type {datatype.name} came in {self.field}")
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return _integer(self.value, datatype, FIELD_BITS[self.field], label)
        if isinstance(self.value, float) and not math.isfinite(self.value):
            return None
        return self.value

    def type_of(self, declared: int | None = None) -> DataType | None:
        """Its type: as it says itself, as it was declared, or as its field suggests; None where there is no such type."""
        number = next((each for each in (self.datatype, declared) if each is not None), None)
        if number is None:
            return UNDECLARED.get(self.field or "")
        return TYPES.get(number)


def _integer(number: int, datatype: DataType, field_bits: int, label: str) -> int:
    if datatype in UNSIGNED_BITS:
        bits, value = UNSIGNED_BITS[datatype], number
        fits = value < 1 << bits
    else:
        bits = SIGNED_BITS[datatype]
        # Some senders cut a negative number to its own width, others extend its sign over the field.
        width = bits if number < 1 << bits else field_bits
        value = number - (1 << width) if number >> (width - 1) & 1 else number
        fits = -(1 << (bits - 1)) <= value < 1 << (bits - 1)
    if not fits:
        raise MalformedInput(label, f"{number} does not fit {datatype.name}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One message: its metrics, when it was made, and its place in its node's sequence (0 to 255; births of commands have none)."""

    timestamp_ms: int | None = None
    seq: int | None = None
    metrics: Sequence[Metric] = ()

    def named(self, name: str) -> Metric | None:
        """The metric of that name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


def parse(body: bytes) -> Payload:
    """Read a payload.

    Raises:
        MalformedInput: it is too large, not protobuf, or a name is not text.
    """
    if len(body) > LARGEST_BODY_BYTES:
        raise MalformedInput("body", f"{len(body)} bytes, {LARGEST_BODY_BYTES} are allowed")
    message: Any = _PAYLOAD()
    try:
        message.ParseFromString(body)
    except DecodeError as wrong:
        raise MalformedInput("payload", "not a protobuf message") from wrong
    if len(message.metrics) > MOST_METRICS:
        raise MalformedInput("metrics", f"{len(message.metrics)} metrics, {MOST_METRICS} are allowed")
    seq = _optional(message, "seq")
    if seq is not None and seq > 255:
        raise MalformedInput("seq", f"{seq} is not 0 to 255")
    return Payload(
        timestamp_ms=_optional(message, "timestamp"),
        seq=seq,
        metrics=tuple(_metric(metric) for metric in message.metrics),
    )


def _metric(message: Any) -> Metric:
    field = message.WhichOneof("value")
    name = _optional(message, "name")
    return Metric(
        name=None if name is None else checked_text(_text(name, "name"), "name"),
        alias=_optional(message, "alias"),
        timestamp_ms=_optional(message, "timestamp"),
        datatype=_optional(message, "datatype"),
        field=field,
        value=None if field is None else _value(getattr(message, field), field),
        is_historical=message.is_historical,
        is_null=message.is_null,
    )


def _value(value: Value, field: str) -> Value:
    if not isinstance(value, bytes):
        return value
    if field not in {"string_value", "bytes_value"}:
        return None
    if len(value) > LONGEST_VALUE:
        raise MalformedInput(field, f"{len(value)} bytes, {LONGEST_VALUE} are allowed")
    return _text(value, field) if field == "string_value" else value


def _text(value: bytes, field: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as wrong:
        raise MalformedInput(field, f"not UTF-8 at byte {wrong.start}") from wrong


def _optional(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def encode(payload: Payload) -> bytes:
    """Write a payload; `parse` reads it back."""
    message: Any = _PAYLOAD()
    _set(message, timestamp=payload.timestamp_ms, seq=payload.seq)
    for metric in payload.metrics:
        written = message.metrics.add()
        _set(
            written,
            name=None if metric.name is None else metric.name.encode(),
            alias=metric.alias,
            timestamp=metric.timestamp_ms,
            datatype=metric.datatype,
            is_historical=metric.is_historical or None,
            is_null=metric.is_null or None,
        )
        if metric.field is not None and metric.value is not None:
            value = metric.value.encode() if isinstance(metric.value, str) else metric.value
            setattr(written, metric.field, value)
    written_bytes: bytes = message.SerializeToString()
    return written_bytes


def _set(message: Any, **values: object) -> None:
    for name, value in values.items():
        if value is not None:
            setattr(message, name, value)


_F = FieldDescriptorProto
_METRIC_FIELDS = (
    ("name", 1, _F.TYPE_BYTES),
    ("alias", 2, _F.TYPE_UINT64),
    ("timestamp", 3, _F.TYPE_UINT64),
    ("datatype", 4, _F.TYPE_UINT32),
    ("is_historical", 5, _F.TYPE_BOOL),
    ("is_transient", 6, _F.TYPE_BOOL),
    ("is_null", 7, _F.TYPE_BOOL),
)
_VALUE_FIELDS = (
    ("int_value", 10, _F.TYPE_UINT32),
    ("long_value", 11, _F.TYPE_UINT64),
    ("float_value", 12, _F.TYPE_FLOAT),
    ("double_value", 13, _F.TYPE_DOUBLE),
    ("boolean_value", 14, _F.TYPE_BOOL),
    ("string_value", 15, _F.TYPE_BYTES),
    ("bytes_value", 16, _F.TYPE_BYTES),
    ("dataset_value", 17, _F.TYPE_BYTES),
    ("template_value", 18, _F.TYPE_BYTES),
)


def _payload_class() -> Any:
    described = FileDescriptorProto(name="sparkplug_b.proto", package=PACKAGE, syntax="proto2")
    payload = described.message_type.add(name="Payload")
    metric = payload.nested_type.add(name="Metric")
    for name, number, kind in _METRIC_FIELDS:
        _field(metric, name, number, kind)
    metric.oneof_decl.add(name="value")
    for name, number, kind in _VALUE_FIELDS:
        _field(metric, name, number, kind).oneof_index = 0
    _field(payload, "timestamp", 1, _F.TYPE_UINT64)
    metrics = _field(payload, "metrics", 2, _F.TYPE_MESSAGE)
    metrics.label = _F.LABEL_REPEATED
    metrics.type_name = f".{PACKAGE}.Payload.Metric"
    _field(payload, "seq", 3, _F.TYPE_UINT64)
    pool = DescriptorPool()
    pool.Add(described)
    return GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Payload"))


def _field(message: DescriptorProto, name: str, number: int, kind: Any) -> FieldDescriptorProto:
    return message.field.add(name=name, number=number, type=kind, label=_F.LABEL_OPTIONAL)


_PAYLOAD = _payload_class()
