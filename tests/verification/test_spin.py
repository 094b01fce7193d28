"""spin and the explorer, which know nothing of each other, agree about the chart."""

from __future__ import annotations

import re

import pytest

from agentcp_fsm.fsm.paths import paths
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.glossary import ACTIONS, GUARDS
from agentcp_fsm.verification import explore, promela
from agentcp_fsm.verification.matrix import MATRIX
from tests.needs import needs_program
from tests.verification import spin
from tests.verification.catalogue import DEFECTS
from tests.verification.seeded import TRANSLATED, Defect, also

IN_REACH = [defect for defect in DEFECTS if defect.in_promela is not None]


@pytest.fixture
def programs() -> None:
    needs_program("spin", "spin")
    needs_program("gcc", "gcc")


pytestmark = pytest.mark.usefixtures("programs")


def test_the_model_knows_every_guard_and_action() -> None:
    assert promela.GUARDS.keys() == GUARDS.keys()
    assert promela.ACTIONS.keys() == ACTIONS.keys()


@pytest.mark.parametrize("name", ["brisk", "one failure, three attempts"])
def test_what_the_machine_does_the_model_does_too_and_all_holds(name: str) -> None:
    config = MATRIX[name]
    verdict = spin.check(config)
    assert verdict.broken is None
    assert {state for _, state in verdict.rows} == set(CHART.state_names)
    really = explore(config, at_most=300)
    assert really.violation is None
    assert really.rows <= verdict.rows
    by_the_chart_alone = {(str(path.row), path.source) for path in paths(CHART, every_source=True) if path.row}
    assert verdict.rows <= by_the_chart_alone


@pytest.mark.slow
@pytest.mark.parametrize("name", MATRIX)
def test_the_whole_matrix_agrees(name: str) -> None:
    verdict, really = spin.check(MATRIX[name]), explore(MATRIX[name])
    assert verdict.broken is None
    assert really.violation is None
    assert really.rows <= verdict.rows


@pytest.mark.parametrize("defect", [each for each in IN_REACH if each.breaks], ids=lambda defect: defect.what)
def test_a_breach_that_the_model_can_have_is_found_by_spin_too(defect: Defect) -> None:
    verdict = defect.checked_by_spin()
    assert verdict is not None
    assert verdict.broken is not None
    assert verdict.trail[0] == ("start: OFFLINE → SIGNING_IN", "OFFLINE")


def test_a_trap_breaks_L1_and_nothing_else() -> None:  # noqa: N802
    verdict = spin.check(Config(), changed={"begin_sign_in": "timeout_armed = 1; beat_armed = 0"})
    assert verdict.broken == "L1"
    assert verdict.trail
    never_asked = also("begin_sign_in", lambda self, event, now: self._effects.pop())
    assert explore(MATRIX["brisk"], never_asked).violation is not None


def test_an_assertion_stands_for_each_invariant_that_the_page_names() -> None:
    model = promela.promela(Config())
    assert {f"S{number}" for number in re.findall(r"/\* S(\d+) \*/", model)} == {
        "S1",
        "S2",
        "S3",
        "S4",
        "S5",
        "S6",
        "S9",
    }


def test_each_translated_defect_is_one_of_the_catalogue() -> None:
    assert TRANSLATED.keys() <= {defect.what for defect in DEFECTS}
