"""All cases of the bench."""

from tests.faults import (
    application_cases,
    hostile_cases,
    network_cases,
    server_cases,
    sign_in_cases,
    system_cases,
)
from tests.faults.case import Case

CASES: tuple[Case, ...] = (
    *server_cases.CASES,
    *sign_in_cases.CASES,
    *system_cases.CASES,
    *network_cases.CASES,
    *application_cases.CASES,
    *hostile_cases.CASES,
)
