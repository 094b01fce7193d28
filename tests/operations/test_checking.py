"""A verdict on agents, as monitoring plugins give it."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm import ConfigError, State
from agentcp_fsm.errors import StatusError
from agentcp_fsm.operations.asking import AgentStatus
from agentcp_fsm.operations.checking import LOSSES, SEVERITY, Level, Threshold, chosen, judge

ALICE, BOB = "alice.agentid.pub", "bob.agentid.pub"
LINE = re.compile(r"AGENTCP (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+( \| ('[^']*'=[\d.e+-]+s?;[\d.]*;[\d.]*;0 ?)+)?")
"""What a monitoring system reads: <https://www.monitoring-plugins.org/doc/guidelines.html>, for the values below."""


def agent(agent_id: str = ALICE, state: str = "ONLINE", **others: object) -> AgentStatus:
    reachable = state in ("ONLINE", "DEGRADED")
    return {"agent_id": agent_id, "state": state, "reachable": reachable, "since": 3.25, "reason": "so", **others}


AGE = Threshold("last_answer", "s", 20, 60)
RATE = Threshold("loss_rate", "", 0.1, 0.5)


@pytest.mark.parametrize(
    ("state", "level"),
    [(state, {State.ONLINE: 0, State.DEGRADED: 1}.get(state, 2)) for state in State],
)
def test_the_state_decides(state: State, level: int) -> None:
    assert judge([agent(state=state)], []).level == level


@pytest.mark.parametrize(("value", "level"), [(0, 0), (20, 0), (20.1, 1), (60, 1), (60.1, 2), (None, 3)])
def test_a_value_above_its_threshold(value: float | None, level: int) -> None:
    assert judge([agent(last_answer=value)], [AGE]).level == level


def test_losses_of_the_last_hour_are_counted() -> None:
    ages = [(True, 4000.0), (True, 3000.0), (False, 20.0), (True, 10.0)]
    lost = agent(transitions=[{"lost": lost, "age": age} for lost, age in ages])
    assert judge([lost], [Threshold(LOSSES, "", 2)]).level is Level.OK
    verdict = judge([lost], [Threshold(LOSSES, "", 1)])
    assert str(verdict) == (
        "AGENTCP WARNING - alice.agentid.pub ONLINE for 3.2 s, losses_last_hour is 2, above 1"
        " | 'losses_last_hour'=2;1;;0"
    )


def test_what_is_not_judged_may_be_unknown() -> None:
    verdict = judge([agent(last_answer=None)], [Threshold("last_answer", "s")])
    assert str(verdict) == "AGENTCP OK - alice.agentid.pub ONLINE for 3.2 s | 'last_answer'=U;;;0"


def test_the_line_of_one_agent() -> None:
    verdict = judge(
        [agent(state="BACKOFF", reason="no answer | at all\n!", last_answer=70.5, loss_rate=0.2)], [AGE, RATE]
    )
    assert str(verdict) == (
        "AGENTCP CRITICAL - alice.agentid.pub BACKOFF for 3.2 s: no answer / at all !, last_answer is 70.5s, above 60,"
        " loss_rate is 0.2, above 0.1 | 'last_answer'=70.5s;20;60;0 'loss_rate'=0.2;0.1;0.5;0"
    )


def test_the_line_of_several_agents_names_those_in_trouble() -> None:
    verdict = judge([agent(last_answer=1), agent(BOB, "OFFLINE", last_answer=2)], [AGE])
    assert str(verdict) == (
        "AGENTCP CRITICAL - 1 of 2 agents are reachable; bob.agentid.pub OFFLINE for 3.2 s: so"
        " | 'alice.agentid.pub last_answer'=1s;20;60;0 'bob.agentid.pub last_answer'=2s;20;60;0"
    )
    assert judge([], [AGE]).level is Level.CRITICAL


@given(
    st.lists(
        st.builds(
            agent,
            st.text(st.characters(exclude_characters="'")),
            st.sampled_from(list(State)),
            reason=st.text(),
            last_answer=st.floats(0, 1e9),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_status_is_one_line_that_a_monitoring_system_reads(agents: list[AgentStatus]) -> None:
    verdict = judge(agents, [AGE])
    assert LINE.fullmatch(str(verdict))
    assert verdict.level == max((judge([each], [AGE]).level for each in agents), key=SEVERITY.index)


@pytest.mark.parametrize(("warning", "critical"), [(2, 1), (-1, None), (None, -1), (math.nan, None)])
def test_thresholds_that_cannot_be(warning: float | None, critical: float | None) -> None:
    with pytest.raises(ConfigError, match="last_answer"):
        Threshold("last_answer", "s", warning, critical)


@pytest.mark.parametrize("wrong", [{}, {"agent_id": ALICE}, {"agent_id": ALICE, "state": "WELL"}])
def test_a_status_of_another_form_is_no_verdict(wrong: AgentStatus) -> None:
    with pytest.raises(StatusError, match="no state"):
        judge([wrong], [])


def test_one_agent_is_chosen_by_its_id() -> None:
    both = [agent(), agent(BOB)]
    assert chosen(both, BOB) == [both[1]]
    with pytest.raises(StatusError, match=f"no agent carol there, but {ALICE}, {BOB}"):
        chosen(both, "carol")
