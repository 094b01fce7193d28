"""All rows, in the order of the table."""

from tests.weather import fleet, habits, loss, outages
from tests.weather.row import Row

ROWS: tuple[Row, ...] = (*loss.ROWS, *outages.ROWS, *habits.ROWS, *fleet.ROWS)
BY_NAME = {row.name: row for row in ROWS}
