"""How cars come and how long they stay, fitted to real series by benchmarks/fit_traffic.py, which says the method.

Arrivals per hour *and space* by hour of the lot's own day, from Bath & North East Somerset's historic car park occupancy of 2016 (Open Government
Licence v3; Avon Street, Charlotte Street, Podium and SouthGate General, the four in the centre). Dwell of all but electric cars
from the same series' increments; that of electric cars from ACN-Data (Lee, Li, Low 2019), one garage in California, 2018-10-08 to 2020-03-15.

The few arrivals of a Sunday's small hours come from taking each kind of day as its own predecessor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

WEEKDAY, SATURDAY, SUNDAY = "weekday", "saturday", "sunday"

ARRIVALS: Mapping[str, Sequence[float]] = MappingProxyType(
    {
        WEEKDAY: (
            *(0.0044, 0.0043, 0.0056, 0.0011, 0.0001, 0.0045, 0.0131, 0.0608),
            *(0.1817, 0.3171, 0.4044, 0.4564, 0.454, 0.4258, 0.3514, 0.2725),
            *(0.18, 0.0964, 0.1046, 0.1113, 0.0682, 0.0283, 0.0089, 0.0035),
        ),
        SATURDAY: (
            *(0.0, 0.0, 0.0, 0.0054, 0.0121, 0.0084, 0.0146, 0.0395),
            *(0.1494, 0.3334, 0.4338, 0.4668, 0.5054, 0.4953, 0.4927, 0.4047),
            *(0.261, 0.1316, 0.1274, 0.1414, 0.1102, 0.0707, 0.0191, 0.0),
        ),
        SUNDAY: (
            *(0.0692, 0.0297, 0.0261, 0.037, 0.0415, 0.0356, 0.0363, 0.0369),
            *(0.0451, 0.0958, 0.2859, 0.3763, 0.3881, 0.3732, 0.2968, 0.1696),
            *(0.0567, 0.0375, 0.0338, 0.0251, 0.0138, 0.0021, 0.0, 0.0),
        ),
    }
)
"""Arrivals per hour and space, by kind of day and hour."""

FLOOR: Mapping[str, float] = MappingProxyType({WEEKDAY: 0.082, SATURDAY: 0.111, SUNDAY: 0.082})
"""The share of spaces with cars that stand over night: neither arriving nor leaving."""

MEAN_DWELL_MIN = 87.7
DWELL_WIDTH = 0.5
"""Dwell is log-normal: its mean in minutes and the standard deviation of its logarithm."""

ELECTRIC_DWELL_MIN: Sequence[int] = (
    *(6, 97, 140, 179, 221, 258, 297, 341, 404, 470, 509),
    *(534, 551, 563, 573, 585, 596, 611, 631, 665, 1372),
)
"""Dwell of electric cars in minutes at each twentieth of the stays."""


def kind_of_day(weekday: int) -> str:
    """The table's name of a weekday, Monday being 0."""
    if weekday < 5:
        return WEEKDAY
    return SATURDAY if weekday == 5 else SUNDAY
