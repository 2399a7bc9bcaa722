"""Writes views down as HTML. Everything is rendered here, so that every page works without script; with it, parts are replaced as they
change. Nothing is loaded from another host.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cloud.console import words

HERE = Path(__file__).parent
TEMPLATES, STATIC = HERE / "templates", HERE / "static"
MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
THEMES = ("auto", "light", "dark", "contrast")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """A file that pages load."""

    content: bytes
    media_type: str


class Renderer:
    """Holds the templates and static files."""

    def __init__(self) -> None:
        self.files = {
            path.name: StaticFile(content=path.read_bytes(), media_type=MEDIA_TYPES[path.suffix])
            for path in sorted(STATIC.iterdir())
        }
        digest = sha256(b"".join(file.content for file in self.files.values()))
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "sprite": Markup((TEMPLATES / "icons.svg").read_text("utf-8")),  # noqa: S704 - our own file
            "build": digest.hexdigest()[:12],
            "duration": words.duration,
            "money": words.money,
            "count": words.count,
            "type_name": words.type_name,
            "themes": THEMES,
        }

    def page(self, name: str, view: object, *, theme: str, path: str, stream: str) -> str:
        """A whole page; `stream` is where its changes come from, `path` where it stands itself."""
        return self._environment.get_template(f"{name}.html").render(
            view=view, theme=theme, path=path, stream=stream, whole=True
        )

    def part(self, name: str, view: object) -> str:
        """What changes on a page: its main part."""
        return self._environment.get_template(f"{name}.html").render(
            view=view, theme="auto", path="", stream="", whole=False
        )

    def plain(self, name: str, *, theme: str, status: int = 200, **values: object) -> str:
        """A page without a view: the sign-in, or what could not be shown."""
        return self._environment.get_template(f"{name}.html").render(theme=theme, status=status, **values)
