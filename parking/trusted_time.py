"""What may be said of the time by a box that wakes in the dark: what has certainly passed, what it probably is, and how good that is.

Theory. Three instants run along the machine's own boot-time clock, which no hand and no network sets: the *lower bound* (it is at least
so late), the *estimate*, and the *upper bound* (it is at most so late; None: nobody knows). A *word* of the centre says that its time was
`sent_at` when it spoke and that it spoke at most `round_trip` ago, so the truth lies in [sent_at, sent_at + round_trip]; each word cuts the
interval. Between two words the bounds grow apart by one thousandth of what passes, more than any quartz is wrong by. The lower
bound never goes back, through starts and boots: what passed while the machine was off counts as nothing. It alone ends promises; while the time is
unknown the line by which they end (`promises_at`) stands still.

The estimate is the machine's civil clock where that lies inside the interval at a word, else the interval's middle; in between it follows the
boot-time clock, so that a hand that sets the civil clock by an hour or by nine years moves nothing. After another boot nobody knows how
long it was dark: the civil clock may have been set meanwhile, and no word carries over that. The quality is then unknown, and the
estimate goes on from the last one by what certainly passed, so that a stay is never priced for more than it took.

A word that lies before the lower bound or after the upper one, by more than the clocks of two servers differ, contradicts: it is not
believed. What each piece of news makes of the quality is in CLOCK_TABLE, all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

EARLIEST_AT = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_LOT_AT = datetime(2020, 1, 1, tzinfo=UTC)
LONGEST_DARK = timedelta(days=366)
DRIFT = 1 / 1000
SERVERS_DIFFER_S = 2.0
SILENT_AFTER_S = 300.0


class ClockQuality(StrEnum):
    """How good the time is."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    UNKNOWN = "unknown"


class ClockNews(StrEnum):
    """What can happen to it."""

    TOLD = "told"
    CONTRADICTED = "contradicted"
    SILENT = "silent"
    SET = "set"
    RESTARTED = "restarted"
    REBOOTED = "rebooted"


_Q, _N = ClockQuality, ClockNews
CLOCK_TABLE: dict[tuple[ClockQuality, ClockNews], ClockQuality] = {
    (_Q.UNKNOWN, _N.TOLD): _Q.SYNCED,
    (_Q.UNKNOWN, _N.CONTRADICTED): _Q.UNKNOWN,
    (_Q.UNKNOWN, _N.SILENT): _Q.UNKNOWN,
    # A lot without a centre has nobody but the person who set its clock.
    (_Q.UNKNOWN, _N.SET): _Q.HOLDOVER,
    (_Q.UNKNOWN, _N.RESTARTED): _Q.UNKNOWN,
    (_Q.UNKNOWN, _N.REBOOTED): _Q.UNKNOWN,
    (_Q.SYNCED, _N.TOLD): _Q.SYNCED,
    (_Q.SYNCED, _N.CONTRADICTED): _Q.HOLDOVER,
    (_Q.SYNCED, _N.SILENT): _Q.HOLDOVER,
    (_Q.SYNCED, _N.SET): _Q.SYNCED,
    (_Q.SYNCED, _N.RESTARTED): _Q.HOLDOVER,
    (_Q.SYNCED, _N.REBOOTED): _Q.UNKNOWN,
    (_Q.HOLDOVER, _N.TOLD): _Q.SYNCED,
    (_Q.HOLDOVER, _N.CONTRADICTED): _Q.HOLDOVER,
    (_Q.HOLDOVER, _N.SILENT): _Q.HOLDOVER,
    (_Q.HOLDOVER, _N.SET): _Q.HOLDOVER,
    (_Q.HOLDOVER, _N.RESTARTED): _Q.HOLDOVER,
    (_Q.HOLDOVER, _N.REBOOTED): _Q.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWord:
    """An authenticated word of the centre: its civil time when it spoke, and the civil time at most that has passed since."""

    sent_at: datetime
    round_trip: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedTime:
    """What was known of the time at second `at_s` of the boot-time clock of `boot`.

    `speed`: civil seconds in one second of that clock (a demo's scale). `told_s`: when the last word was believed in this boot.
    `promises_at`: what ended before it binds no more. `unknown_since_at`: what was written down later than this was written while nobody knew the time; None while it is known.
    """

    boot: str
    at_s: float
    lower_at: datetime
    estimate_at: datetime
    promises_at: datetime
    upper_at: datetime | None = None
    quality: ClockQuality = ClockQuality.UNKNOWN
    told_s: float | None = None
    unknown_since_at: datetime | None = None
    speed: float = 1.0

    @classmethod
    def first(cls, *, boot: str, at_s: float, civil_at: datetime, speed: float) -> TrustedTime:
        """A box that nobody ever told the time: nothing has certainly passed, and its civil clock is what there is to show."""
        shown_at = max(civil_at, EARLIEST_AT)
        return cls(
            boot=boot,
            at_s=at_s,
            lower_at=EARLIEST_AT,
            estimate_at=shown_at,
            promises_at=EARLIEST_AT,
            unknown_since_at=shown_at - timedelta(microseconds=1),
            speed=speed,
        )

    @property
    def known(self) -> bool:
        """Whether windows can be judged."""
        return self.quality is not ClockQuality.UNKNOWN

    def lower_bound(self, now_s: float) -> datetime:
        """What has certainly passed at second `now_s` of the same boot."""
        return self.lower_at + self._since(now_s, 1 - DRIFT)

    def estimate(self, now_s: float) -> datetime:
        """The estimate at second `now_s` of the same boot. While the time is unknown it runs as slowly as the lower bound."""
        return self.estimate_at + self._since(now_s, 1.0 if self.known else 1 - DRIFT)

    def promises(self, now_s: float) -> datetime:
        """What ended before it binds no more at second `now_s` of the same boot."""
        return self.lower_bound(now_s) if self.known else self.promises_at

    def at(self, now_s: float) -> TrustedTime:
        """The same at second `now_s` of the same boot."""
        return TrustedTime(  # not replace(): this goes with every commit, and that is five times as slow
            boot=self.boot,
            at_s=max(now_s, self.at_s),
            lower_at=self.lower_bound(now_s),
            estimate_at=self.estimate(now_s),
            promises_at=self.promises(now_s),
            upper_at=None if self.upper_at is None else self.upper_at + self._since(now_s, 1 + DRIFT),
            quality=self.quality,
            told_s=self.told_s,
            unknown_since_at=self.unknown_since_at,
            speed=self.speed,
        )

    def _since(self, now_s: float, rate: float) -> timedelta:
        return timedelta(seconds=max(0.0, now_s - self.at_s) * self.speed * rate)

    def after(self, news: ClockNews) -> TrustedTime:
        """The same with the quality that the table gives."""
        return replace(self, quality=CLOCK_TABLE[self.quality, news])


def weigh(time: TrustedTime, word: TimeWord) -> ClockNews:
    """TOLD where the word can be believed at the instant of `time`, else CONTRADICTED."""
    apart = timedelta(seconds=SERVERS_DIFFER_S * time.speed)
    if word.sent_at + word.round_trip < time.lower_at - apart:
        return ClockNews.CONTRADICTED
    if time.upper_at is not None and word.sent_at > time.upper_at + apart:
        return ClockNews.CONTRADICTED
    return ClockNews.TOLD


def told(time: TrustedTime, word: TimeWord, civil_at: datetime) -> TrustedTime:
    """What is known once `word` is heard at the instant of `time`, the machine's civil clock showing `civil_at`."""
    news = weigh(time, word)
    if news is not ClockNews.TOLD:
        return time.after(news)
    lower_at = max(time.lower_at, word.sent_at)
    latest_at = word.sent_at + word.round_trip
    upper_at = max(lower_at, latest_at if time.upper_at is None else min(time.upper_at, latest_at))
    if lower_at <= civil_at <= upper_at:
        estimate_at = civil_at
    elif time.known:
        estimate_at = min(max(time.estimate_at, lower_at), upper_at)
    else:
        estimate_at = lower_at + (upper_at - lower_at) / 2
    return replace(
        time.after(news),
        lower_at=lower_at,
        estimate_at=estimate_at,
        promises_at=lower_at,
        upper_at=upper_at,
        told_s=time.at_s,
        unknown_since_at=None,
    )


def silent(time: TrustedTime) -> TrustedTime:
    """The same, in holdover where no word came for five minutes."""
    is_silent = time.told_s is None or time.at_s - time.told_s >= SILENT_AFTER_S
    return time.after(ClockNews.SILENT) if is_silent else time


def resumed(kept: TrustedTime, *, boot: str, now_s: float) -> TrustedTime:
    """What is still known of `kept` at second `now_s` of `boot`. In another boot the dark counts as nothing."""
    if kept.boot == boot and now_s >= kept.at_s:
        return kept.at(now_s).after(ClockNews.RESTARTED)
    return replace(
        kept.after(ClockNews.REBOOTED),
        boot=boot,
        at_s=now_s,
        upper_at=None,
        told_s=None,
        unknown_since_at=kept.estimate_at if kept.known else kept.unknown_since_at,
    )


def set_by_hand(time: TrustedTime, civil_at: datetime) -> TrustedTime:
    """The machine's civil clock is all the authority there is: believed where the time is unknown, unless it cannot be right.

    It cannot before the first lot or the lower bound, nor a year after a bound that was believed once.
    """
    told_once = time.lower_at >= FIRST_LOT_AT
    too_late = told_once and civil_at > time.lower_at + LONGEST_DARK
    if time.known or civil_at < max(time.lower_at, FIRST_LOT_AT) or too_late:
        return time
    return replace(
        time.after(ClockNews.SET),
        lower_at=civil_at,
        estimate_at=civil_at,
        promises_at=civil_at,
        upper_at=civil_at,
        unknown_since_at=None,
    )
