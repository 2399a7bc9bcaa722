"""Plate cameras on the wire: the requests that each vendor's camera sends, and a camera that sends them.

The bodies hold what a camera of that vendor says, in its own words; the picture is a few bytes that begin as a JPEG does. A camera repeats a
request that was not answered with 2xx, the same body, so that both sides of "once" can be tried.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF--lotgate in the picture\r\n--\xff\xd9"
XML, JSON = "application/xml", "application/json"
TRIES = 3
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A vehicle in front of a camera; `number` is the camera's own of the event."""

    plate: str
    number: int = 1
    at: datetime = datetime(2026, 11, 24, 8, 15, 30, tzinfo=UTC)
    confidence_pct: int = 93


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a camera."""

    content_type: str
    body: bytes


def hikvision(seen: Seen) -> Request:
    """An alert in a form, with its picture."""
    alert = f"""<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema">
<macAddress>44:a6:42:00:00:01</macAddress><channelID>1</channelID>
<dateTime>{seen.at.isoformat()}</dateTime><eventType>ANPR</eventType><eventState>active</eventState>
<ANPR><licensePlate>{seen.plate}</licensePlate><line>1</line><direction>forward</direction>
<confidenceLevel>{seen.confidence_pct}</confidenceLevel></ANPR>
<UUID>00000000-0000-4000-8000-{seen.number:012d}</UUID>
</EventNotificationAlert>"""
    return form({"anpr.xml": (XML, alert.encode()), "licensePlatePicture.jpg": ("image/jpeg", PICTURE)})


def dahua(seen: Seen) -> Request:
    """ITSAPI's TollgateInfo."""
    return _json(
        Picture={
            "Plate": {
                "IsExist": True,
                "PlateNumber": seen.plate,
                "Confidence": seen.confidence_pct * 255 // 100,
            },
            "SnapInfo": {
                "AccurateTime": f"{seen.at:%Y-%m-%d %H:%M:%S}.{seen.number % 1000:03d}",
                "DeviceID": "gate-1",
                "Direction": "Obverse",
                "LaneNo": 1,
            },
            "NormalPic": {"PicName": "a.jpg", "Content": base64.b64encode(PICTURE).decode()},
        }
    )


def axis(seen: Seen) -> Request:
    """License Plate Verifier."""
    return _json(
        datetime=f"{seen.at:%Y%m%d %H%M%S}000+0000",
        plateText=seen.plate,
        plateCountry="GBR",
        plateConfidence=f"{seen.confidence_pct / 100:.6f}",
        cameraId="48EA63000001",
        carState="new",
        carMoveDirection="in",
        carID=str(seen.number),
    )


def plate_recognizer(seen: Seen) -> Request:
    """Stream's webhook in a form, with its picture; plates in small letters."""
    said = {
        "hook": {"id": "camera-1", "event": "recognition"},
        "data": {
            "camera_id": "camera-1",
            "filename": f"camera-1/{seen.number}.jpg",
            "timestamp": seen.at.isoformat(),
            "results": [
                {
                    "plate": seen.plate.lower(),
                    "region": {"code": "gb", "score": 0.9},
                    "score": seen.confidence_pct / 100,
                }
            ],
        },
    }
    return form({"json": (None, json.dumps(said).encode()), "upload": ("image/jpeg", PICTURE)})


def openalpr(seen: Seen) -> Request:
    """A group of frames of one vehicle."""
    at_ms = int(seen.at.timestamp() * 1000)
    return _json(
        version=1,
        data_type="alpr_group",
        epoch_start=at_ms,
        camera_id=7,
        best_plate={"plate": seen.plate, "confidence": seen.confidence_pct, "region": "gb"},
        best_uuid=f"site-cam7-{at_ms}-{seen.number}",
        best_plate_number=seen.plate,
    )


def milesight(seen: Seen) -> Request:
    """One flat object with its picture in base64."""
    return _json(
        device=f"LPR {seen.number}",
        time=f"{seen.at:%Y-%m-%d %H:%M:%S}",
        plate=seen.plate,
        direction="In",
        plate_image=base64.b64encode(PICTURE).decode(),
    )


def tattile(seen: Seen) -> Request:
    """One flat message in XML."""
    said = (
        f"<Msg><PLATE_STRING>{seen.plate}</PLATE_STRING><DATE>{seen.at:%Y-%m-%d}</DATE>"
        f"<TIME>{seen.at:%H:%M:%S}</TIME><DEVICE_SN>TAT{seen.number}</DEVICE_SN>"
        f"<OCRSCORE>{seen.confidence_pct}</OCRSCORE><DIRECTION>APPROACH</DIRECTION></Msg>"
    )
    return Request(content_type=XML, body=said.encode())


CAMERAS: dict[str, Callable[[Seen], Request]] = {
    "axis": axis,
    "dahua": dahua,
    "hikvision": hikvision,
    "milesight": milesight,
    "openalpr": openalpr,
    "plate_recognizer": plate_recognizer,
    "tattile": tattile,
}
SIGN_OF_LIFE = Request(content_type="text/plain", body=b"Heartbeat\r\n")


def form(fields: dict[str, tuple[str | None, bytes]], boundary: str = "lotgate") -> Request:
    """A multipart form: each field's media type (None: not said) and bytes."""
    body = b""
    for name, (media_type, data) in fields.items():
        kind = f"Content-Type: {media_type}\r\n" if media_type else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n{kind}\r\n'
        body += head.encode() + data + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return Request(content_type=f"multipart/form-data; boundary={boundary}", body=body)


@dataclass(slots=True)
class CameraWire:
    """A camera that pushes to `url` with the lot's token, and says that it lives every `alive_every_s` while it is plugged in.

    `answers` are the status codes that it was given, None where nobody answered.
    """

    url: str
    token: str
    alive: Request = SIGN_OF_LIFE
    alive_every_s: float = 0.05
    answers: list[int | None] = field(default_factory=list)
    _living: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Plug the camera in."""
        if self._living is None:
            self._living = asyncio.get_running_loop().create_task(self._live())

    def stop(self) -> None:
        """Pull the plug."""
        if self._living is not None:
            self._living.cancel()
            self._living = None

    async def push(self, request: Request, *, tries: int = 1) -> bool:
        """Send a request, again with the same body until it is answered with 2xx; whether it was."""
        async with httpx.AsyncClient(timeout=ANSWER_S) as client:
            for _ in range(tries):
                if await self._sent(client, request):
                    return True
        return False

    async def _live(self) -> None:
        async with httpx.AsyncClient(timeout=ANSWER_S) as client:
            while True:
                await self._sent(client, self.alive)
                await asyncio.sleep(self.alive_every_s)

    async def _sent(self, client: httpx.AsyncClient, request: Request) -> bool:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": request.content_type}
        try:
            answer = await client.post(self.url, content=request.body, headers=headers)
        except httpx.HTTPError:
            self.answers.append(None)
            return False
        self.answers.append(answer.status_code)
        return answer.is_success


def _json(**said: object) -> Request:
    return Request(content_type=JSON, body=json.dumps(said).encode())
