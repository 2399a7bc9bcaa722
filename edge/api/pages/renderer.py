"""Turns views into HTML: the kiosk's whole page, the part of it that changes, and the status page.

Everything is rendered here, so that a page works without script; with script, the parts come over the stream and replace the old ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from edge.api.desk import LaneView, StatusView, TypeCount
from edge.api.pages.daylight import is_dark
from edge.api.pages.faces import face
from edge.api.pages.qr import qr_svg
from edge.api.pages.wording import Language
from edge.api.problems import Problem
from parking.lot import SpotType

PAGES = Path(__file__).parent
TEMPLATES = PAGES / "templates"
STATIC = PAGES / "static"

# In the order in which screens name them.
TYPE_ICONS = {
    SpotType.REGULAR: "car",
    SpotType.COMPACT: "compact",
    SpotType.EV: "ev",
    SpotType.DISABLED: "disabled",
    SpotType.MOTORCYCLE: "motorcycle",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the pages know of the lot besides the views: where it is (for dusk), its first language and a number for help, if any."""

    latitude: float
    longitude: float
    language: str = "en"
    help_line: str | None = None


class Renderer:
    """Renders pages and parts for one lot. Holds templates and words, no state of the lot."""

    def __init__(self, languages: Mapping[str, Language], site: Site) -> None:
        self.languages = languages
        self.site = site
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "sprite": Markup((TEMPLATES / "icons.svg").read_text("utf-8")),  # noqa: S704 - our own file
            "icons": TYPE_ICONS,
            "in_order": _in_order,
            "qr_svg": qr_svg,
            "build": _fingerprint(STATIC),
        }

    def language(self, code: str | None) -> Language:
        """The language asked for, or the lot's first one."""
        return self.languages.get(code or "") or self.languages[self.site.language]

    def theme(self, at: datetime) -> str:
        """The screens' theme: light by day, dark from dusk."""
        return "dark" if is_dark(self.site.latitude, self.site.longitude, at) else "light"

    def kiosk(self, view: LaneView, language: Language, *, contrast: bool, choosing: bool) -> str:
        """The whole kiosk page; `choosing` shows the languages instead of the screen (for a browser without script)."""
        parts = self.parts(view, language)
        return self._render(
            "kiosk.html",
            view=view,
            language=language,
            languages=self.languages.values(),
            parts=parts,
            theme="contrast" if contrast else self.theme(view.at),
            contrast=contrast,
            choosing=choosing,
            help_line=self.site.help_line,
            default_language=self.site.language,
        )

    def parts(self, view: LaneView, language: Language) -> dict[str, str]:
        """What changes on a kiosk: `screen`, the HTML of `main` and of the `second` choice, the `clock`, the `theme` and what to `say`."""
        zone = ZoneInfo(view.timezone)
        shown = face(view)
        module = self._environment.get_template(f"screens/{shown.template}.html").make_module(
            {
                "view": view,
                "face": shown,
                "t": language.say,
                "language": language,
                "money": lambda minor: language.money(minor, view.currency),
                "clock": lambda at: language.clock(at, zone),
                "moment": lambda at: language.moment(at, view.at, zone),
                "entry": "exit" not in view.kind.value,
            }
        )
        heading = str(getattr(module, "heading", ""))
        word = self._word(view, shown.word, language)
        main = self._render(
            "main.html",
            view=view,
            face=shown,
            word=word,
            language=language,
            body=Markup(str(module)),  # noqa: S704 - rendered with escaping
        )
        return {
            "screen": view.screen.value,
            "main": main,
            "second": str(module.second()) if hasattr(module, "second") else "",
            **self.beat(view, language),
            "say": f"{word}. {Markup(heading).striptags()}",  # noqa: S704 - only to take tags away
        }

    def beat(self, view: LaneView, language: Language) -> dict[str, str]:
        """What changes by itself while nothing happens: the `clock` and the `theme`."""
        return {"clock": language.clock(view.at, ZoneInfo(view.timezone)), "theme": self.theme(view.at)}

    def status(self, view: StatusView, monotonic: float, said: str | None = None) -> str:
        """The whole status page; `said` is the answer to what was just done on it."""
        return self._render("status.html", main=Markup(self.status_main(view, monotonic, said)), view=view)  # noqa: S704 - rendered with escaping

    def status_main(self, view: StatusView, monotonic: float, said: str | None = None) -> str:
        """The part of the status page that changes."""
        zone, english = ZoneInfo(view.timezone), self.languages["en"]
        return self._render(
            "status_main.html",
            view=view,
            said=said,
            t=english.say,
            clock=lambda at: english.clock(at, zone),
            seconds=lambda at: f"{at.astimezone(zone):%H:%M:%S}",
            since=lambda at: english.duration(view.at - at),
            until=lambda at: english.duration(at - view.at),
            age=lambda at: english.duration(timedelta(seconds=monotonic - at)),
            count=english.count,
        )

    def sign_in(self, problem: Problem, lane: str | None = None) -> str:
        """The page that asks for a token: for the status page, or for a lane's screen that is not set up yet."""
        return self._render("sign_in.html", problem=problem, lane=lane)

    def _word(self, view: LaneView, key: str, language: Language) -> str:
        paid = view.payment.amount_minor if view.payment else 0
        return language.say(key, amount=language.money(paid, view.currency))

    def render(self, template: str, **values: object) -> str:
        """A template of the kiosk with these values."""
        return self._render(template, **values)

    def _render(self, template: str, **values: object) -> str:
        return self._environment.get_template(template).render(values)


def _in_order(counts: tuple[TypeCount, ...]) -> list[TypeCount]:
    """The types that the lot has, in the order of the screens."""
    order = list(TYPE_ICONS)
    return sorted((count for count in counts if count.total), key=lambda count: order.index(count.type))


def _fingerprint(folder: Path) -> str:
    """A short name for the static files' content, so that a browser keeps them until they change."""
    digest = sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
