from __future__ import annotations

import pytest

from simulators.faults import FaultRefused, LieOrder, Plain, TrickOrder, read_order


def test_orders_are_read_by_their_names() -> None:
    assert read_order('{"do": "hold"}') == Plain(do="hold")
    lie = read_order('{"do": "lie", "spot": "A-001", "how": "flapping", "times": 3}')
    assert isinstance(lie, LieOrder)
    assert (lie.spot, lie.times, lie.on) == ("A-001", 3, True)
    assert isinstance(read_order('{"do": "trick", "lane": "entry-1", "what": "tailgate"}'), TrickOrder)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("", "line"),
        ("[]", "line"),
        ('{"do": "dance"}', "line"),
        ('{"do": "lie", "spot": "A-001", "how": "sulking"}', "how"),
        ('{"do": "unplug"}', "device"),
        ('{"do": "hold", "until": 5}', "until"),
    ],
)
def test_an_order_that_is_none_names_what_is_wrong(line: str, named: str) -> None:
    with pytest.raises(FaultRefused, match=named):
        read_order(line)
