"""Turns a booking at the kiosk into HTML: one step a page, each with one thing to do. Everything works without script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup

from edge.api.booking_desk import BookingOffer, BookingState, BookingView
from edge.api.desk import LaneView
from edge.api.pages.faces import Face
from edge.api.pages.renderer import Renderer
from edge.api.pages.wording import Language
from parking.decision import Reason

CHOOSING = Face(state="act", icon="act", word="signal.your_turn", template="choose")
OFFERED = Face(state="act", icon="card", word="signal.your_turn", template="price")
FULL = Face(state="stop", icon="stop", word="signal.full", template="refused")
REFUSED = Face(state="stop", icon="stop", word="signal.stop", template="refused")
OF_STATE: Mapping[BookingState, Face] = {
    BookingState.PAYING: Face(state="act", icon="card", word="signal.pay", template="paying"),
    BookingState.SOLD: Face(state="go", icon="tick", word="signal.booked", template="ticket"),
    BookingState.DECLINED: Face(state="stop", icon="stop", word="signal.declined", template="declined"),
    BookingState.REFUSED: REFUSED,
    BookingState.UNKNOWN: Face(state="wait", icon="wait", word="signal.please_wait", template="paying"),
}
NO_SPACE = frozenset({Reason.FULL, Reason.WOULD_NOT_PACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One button of a step: its words, a smaller line, an icon, and what the address says once it is chosen."""

    words: str
    chosen: Mapping[str, str]
    small: str = ""
    icon: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page that is asked for: its path, what was chosen so far, and how it is dressed."""

    view: LaneView
    path: str
    language: Language
    chosen: Mapping[str, str] = field(default_factory=dict)
    contrast: bool = False
    languages: bool = False

    @property
    def home(self) -> str:
        """The lane's own screen."""
        return f"/kiosk/{self.view.lane}"

    def link(self, **changes: object) -> str:
        """The address of this page with other values; None takes one out."""
        now: dict[str, object] = {**self.chosen, "lang": self.language.code}
        now |= {"contrast": 1 if self.contrast else None, "languages": 1 if self.languages else None}
        kept = {name: str(value) for name, value in {**now, **changes}.items() if value is not None}
        return f"{self.path}?{urlencode(kept)}"


class BookingRenderer:
    """Renders the steps of a booking; words and templates are the kiosk's."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def language(self, code: str | None) -> Language:
        """The language asked for, or the lot's first one."""
        return self._renderer.language(code)

    def choose(self, page: Page, heading: str, choices: Sequence[Choice]) -> str:
        """One of several: a type, a time, a length."""
        shown = [
            {"words": one.words, "small": one.small, "icon": one.icon, "href": page.link(**one.chosen)}
            for one in choices
        ]
        return self._page(page, "choices", CHOOSING, heading=page.language.say(heading), choices=shown)

    def offer(self, page: Page, offer: BookingOffer) -> str:
        """The price, and the button that pays it."""
        start, hours = page.chosen.get("start", ""), page.chosen.get("hours", "")
        return self._page(page, "offer", OFFERED, offer=offer, start=start, hours=hours)

    def refused(self, page: Page, reason: Reason) -> str:
        """Why not, and the way back to the choices."""
        heading, _, lead = page.language.reason(reason).partition(". ")
        lead = lead or page.language.say("book.other")
        return self._turned_away(page, FULL if reason in NO_SPACE else REFUSED, heading.rstrip("."), lead)

    def booking(self, page: Page, booking: BookingView) -> str:
        """One booking, as far as it is."""
        if booking.state is BookingState.REFUSED:
            return self.refused(page, booking.reason or Reason.NOT_STORING)
        shown = OF_STATE[booking.state]
        if booking.state is BookingState.DECLINED:
            say = page.language.say
            return self._turned_away(page, shown, say("book.declined"), say("book.declined_lead"))
        return self._page(page, booking.state.value, shown, booking=booking)

    def _turned_away(self, page: Page, shown: Face, heading: str, lead: str) -> str:
        again = f"{page.home}/book?lang={page.language.code}"
        return self._page(page, "refused", shown, heading=heading, lead=lead, again=again)

    def _page(self, page: Page, step: str, shown: Face, **values: object) -> str:
        language, zone = page.language, ZoneInfo(page.view.timezone)
        shared: dict[str, object] = {
            "view": page.view,
            "language": language,
            "t": language.say,
            "money": lambda minor: language.money(minor, page.view.currency),
            "clock": lambda at: language.clock(at, zone),
            "moment": lambda at: language.moment(at, page.view.at, zone),
            "link": page.link,
            "home": page.home,
            "step": step,
            "face": shown,
            "word": language.say(shown.word),
        }
        body = self._renderer.render(f"book/{step}.html", **shared, **values)
        return self._renderer.render(
            "book.html",
            **shared,
            body=Markup(body),  # noqa: S704 - rendered with escaping
            languages=self._renderer.languages.values(),
            choosing=page.languages,
            contrast=page.contrast,
            theme="contrast" if page.contrast else self._renderer.theme(page.view.at),
        )
