"""The explorer finds the machine sound, and each seeded defect by a script that shows it."""

from __future__ import annotations

import pytest

from agentcp_fsm.errors import InvariantError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.verification import check_liveness, explore, replay
from agentcp_fsm.verification.matrix import MATRIX, answers_never_seen, is_possible, rows_never_taken
from agentcp_fsm.verification.script import as_test, as_text
from tests.verification.catalogue import DEFECTS
from tests.verification.seeded import Defect

KNOWN_FOR = {
    *(f"S{number}" for number in range(1, 11)), "L1", "L2", "L3", "snapshot", "raises",
}  # fmt: skip


def test_each_invariant_has_a_defect_made_for_it() -> None:
    assert {defect.breaks for defect in DEFECTS if defect.breaks} == KNOWN_FOR
    assert len({defect.what for defect in DEFECTS}) == len(DEFECTS) > 60


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if defect.breaks], ids=lambda defect: defect.what)
def test_a_breach_of_each_invariant_is_found_and_shown(defect: Defect) -> None:
    result = defect.explored()
    found = result.violation
    assert found is not None
    assert found.name == defect.breaks
    assert not result.complete
    lines = list(as_text(result.config, found.steps, defect.machine))
    assert lines[0].startswith("  1 at 0.0 s: Start()")
    if found.name.startswith("S") and found.name != "snapshot":
        with pytest.raises(InvariantError, match=rf"^{found.name} broken"):
            replay(result.config, found.steps, defect.machine)


@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_every_defect_is_found(defect: Defect) -> None:
    assert defect.explored().violation is not None


def test_the_first_situations_of_the_usual_configuration_are_sound() -> None:
    result = explore(Config(), at_most=500)
    assert result.violation is None
    assert not result.complete
    assert result.edges > result.situations > 500


def test_several_processes_find_the_same() -> None:
    alone, together = (explore(MATRIX["brisk"], at_most=600, jobs=jobs) for jobs in (1, 2))
    assert (together.situations, together.edges, together.depth) == (alone.situations, alone.edges, alone.depth)
    assert together.rows == alone.rows
    assert together.answers == alone.answers


@pytest.mark.slow
def test_the_usual_configuration_is_sound_and_takes_every_row_that_it_can() -> None:
    config = Config()
    result = explore(config, jobs=2)
    assert result.violation is None
    assert result.complete
    assert [row for row in rows_never_taken([result]) if is_possible(row, config)] == []
    assert answers_never_seen([result]) == (("attempts_exhausted", True), ("spread_configured", False))


def test_a_liveness_that_does_not_hold_from_a_state_is_seen_there() -> None:
    defect = next(defect for defect in DEFECTS if defect.breaks == "L1")
    found = defect.explored().violation
    assert found is not None
    watched = replay(defect.config, found.steps, defect.machine)
    with pytest.raises(InvariantError, match=r"^L1 broken from SIGNING_IN"):
        check_liveness(watched.machine)
    check_liveness(replay(defect.config, found.steps).machine)


def test_a_violation_becomes_a_test_that_passes_once_it_is_mended() -> None:
    for wanted in ("S5", "L2", "S4"):
        defect = next(defect for defect in DEFECTS if defect.breaks == wanted)
        found = defect.explored().violation
        assert found is not None
        check = "check_liveness" if wanted == "L2" else None
        source = as_test(defect.config, found.steps, found.text, check)
        namespace: dict[str, object] = {}
        exec(compile(source, "<found>", "exec"), namespace)
        test = namespace["test_found_by_verify"]
        assert callable(test)
        test()  # our machine has no such defect


def test_a_row_is_possible_unless_the_configuration_forbids_it() -> None:
    impossible = [row for row in CHART.rows if not is_possible(row, Config())]
    assert impossible
    assert all(
        "attempts_exhausted" in row.conditions or row.trigger == "unauthorized" for row in impossible
    )  # the latter: sign-ins after a 401 are spread
    limited = Config(sign_in_attempt_limit=2, unauthorized_spread=0.0)
    assert [row for row in CHART.rows if not is_possible(row, limited)] == [
        row for row in CHART.rows if "spread_configured" in row.conditions
    ]


def test_a_machine_with_another_chart_is_explored_by_its_own() -> None:
    class Own(Lifecycle):
        __slots__ = ()

    Own.step = Chart(CHART.name, CHART.initial, CHART.states, CHART.rows, CHART.guards, CHART.actions).compile(
        Own, arity=2
    )
    assert explore(MATRIX["brisk"], Own, at_most=200).violation is None
