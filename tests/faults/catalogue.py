"""All cases of the bench."""

from tests.faults import application_cases, server_cases, sign_in_cases, system_cases
from tests.faults.bench import Case

CASES: tuple[Case, ...] = (
    *server_cases.CASES,
    *sign_in_cases.CASES,
    *system_cases.CASES,
    *application_cases.CASES,
)
