"""Lines of the log: their stories, their fields, their forms, and how bursts are folded."""

import json
import logging
import sys
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm import State
from agentcp_fsm.operations.logs import BURST, FIELDS, SPAN, Folding, LogFormat, formatter
from tests.connection.peer import FAST, PATIENT, Peer, connect
from tests.waiting import online, until

TRANSITIONS = "agentcp_fsm.connection.attachment"


def record(message: str, *arguments: object, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("agentcp_fsm.x", level, __file__, 1, message, arguments, None)
    made.__dict__.update(fields)
    return made


def test_a_transition_has_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, TRANSITIONS)
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        online(connection)
    made = [each for each in caplog.records if each.name == TRANSITIONS]
    told = [(vars(each)["source"], vars(each)["dest"], vars(each)["trigger"]) for each in made]
    assert told == [(each.source, each.dest, each.trigger) for each in connection.health().transitions]
    assert {vars(each)["agent"] for each in made} == {"alice.agentid.pub"}
    assert vars(made[1])["attempt"] == 1


def test_a_loss_is_a_story_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, TRANSITIONS)
    with Peer() as peer, connect(peer, config=FAST) as connection:
        online(connection)
        peer.next_beat = -1
        until(lambda: connection.health().last_loss is not None)
        loss = connection.health().last_loss
    assert loss is not None
    [line] = [each for each in caplog.records if each.levelno == logging.WARNING and each.name == TRANSITIONS][:1]
    assert line.getMessage().startswith(f"alice.agentid.pub {line.__dict__['source']} -> {line.__dict__['dest']}: ")
    assert " unanswered, last answer " in line.getMessage()
    assert "; next try " in line.getMessage()


def test_text_has_a_full_date_and_is_printable() -> None:
    line = formatter(LogFormat.TEXT).format(record("%s\x1b[31m", "alice\n"))
    moment, rest = line.split(" ", 1)
    assert datetime.fromisoformat(moment).tzinfo is not None
    assert rest == r"INFO agentcp_fsm.x: alice\n\x1b[31m"


@given(message=st.text(), fields=st.dictionaries(st.sampled_from(FIELDS), st.text() | st.integers()))
def test_json_is_one_line_whatever_it_says(message: str, fields: dict[str, Any]) -> None:
    line = formatter(LogFormat.JSON).format(record("%s", message, level=logging.INFO, **fields))
    assert line.isascii()
    assert "\n" not in line
    said = json.loads(line)
    assert said.pop("message") == message
    assert datetime.fromisoformat(said.pop("at")).utcoffset() is not None
    assert said == {"level": "INFO", "logger": "agentcp_fsm.x", **fields}


def test_json_has_the_exception() -> None:
    made = record("it failed", level=logging.ERROR)
    try:
        raise LookupError("in here")
    except LookupError:
        made.exc_info = sys.exc_info()
    assert "LookupError: in here" in json.loads(formatter(LogFormat.JSON).format(made))["exception"]


def test_bursts_are_folded_by_kind_and_agent() -> None:
    now = 0.0
    folding = Folding(lambda: now)

    def passes(agent: str, message: str = "%s moved") -> logging.LogRecord | None:
        made = record(message, agent, agent=agent)
        return made if folding.filter(made) else None

    assert [passes("alice") is not None for _ in range(BURST + 5)] == [True] * BURST + [False] * 5
    assert passes("bob") is not None
    assert passes("alice", "%s arrived") is not None
    assert folding.filter(record("%s moved", "alice", agent="alice", level=logging.ERROR))
    now = SPAN
    line = passes("alice")
    assert line is not None
    assert line.getMessage() == "alice moved (... 5 more folded)"
    assert json.loads(formatter(LogFormat.JSON).format(line))["folded"] == 5
    line = passes("alice")
    assert line is not None
    assert line.getMessage() == "alice moved"


def test_a_state_is_no_part_of_the_fields_but_its_name() -> None:
    assert json.loads(formatter(LogFormat.JSON).format(record("x", source=State.ONLINE)))["source"] == "ONLINE"
