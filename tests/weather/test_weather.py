"""Each row of the weather, at a small size: a machine under the monitor's eyes reaches what must be reached."""

import pytest

from tests.weather.former import FORMER, FORMER_REAL, REPORTED
from tests.weather.row import SMALL, Row
from tests.weather.rows import BY_NAME, ROWS


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_weather_is_borne(row: Row) -> None:
    measured = row.measure(SMALL)
    assert row.reached(measured.figures), f"{row.weather}: {measured.text}, not {row.target} ({measured.note})"


def test_rows_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(ROWS)
    assert {*REPORTED, *FORMER, *FORMER_REAL} <= set(BY_NAME)
