from __future__ import annotations

import pytest

from cloud.errors import MisconfiguredCloud
from cloud.settings import CloudSettings

URL = {"LOTGATE_CLOUD_DATABASE_URL": "postgresql:///x"}


def test_the_database_is_all_that_must_be_told() -> None:
    settings = CloudSettings.from_environment(URL)
    assert (settings.name, settings.pool_min, settings.pool_max) == ("lotgate", 10, 100)
    assert settings.staff_tokens == frozenset()


def test_tokens_are_separated_by_commas() -> None:
    settings = CloudSettings.from_environment({**URL, "LOTGATE_CLOUD_TOKENS": "one, two,,"})
    assert settings.staff_tokens == {"one", "two"}


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({}, "LOTGATE_CLOUD_DATABASE_URL"),
        ({**URL, "LOTGATE_CLOUD_POOL_MAX": "many"}, "LOTGATE_CLOUD_POOL_MAX"),
        ({**URL, "LOTGATE_CLOUD_POOL_MIN": "50", "LOTGATE_CLOUD_POOL_MAX": "20"}, "LOTGATE_CLOUD_POOL_MAX"),
        ({**URL, "LOTGATE_CLOUD_NAME": " "}, "LOTGATE_CLOUD_NAME"),
    ],
)
def test_a_wrong_variable_is_named_with_its_fix(environment: dict[str, str], variable: str) -> None:
    with pytest.raises(MisconfiguredCloud, match=f"{variable}: .+; |{variable}: .+below") as told:
        CloudSettings.from_environment(environment)
    assert variable in str(told.value)
