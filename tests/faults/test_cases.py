"""Every case of the bench holds what it must."""

import pytest

from tests.faults.bench import run
from tests.faults.case import Case
from tests.faults.catalogue import CASES
from tests.server_process import ServerProcess


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.slow else []) for case in CASES]
)
def test_what_must_hold_after_a_fault(case: Case, shared_server: ServerProcess) -> None:
    outcome = run(case, shared_server)
    assert not outcome.broken, "\n".join(outcome.broken)


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
