"""A failing life is shown as a program, which runs, fails alike, and is made as short as it can be."""

import re
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from agentcp_fsm import Config, Lifecycle, Session
from agentcp_fsm.errors import InvariantError
from agentcp_fsm.lifecycle import events
from agentcp_fsm.testing import Script, World, connection_machine, strategies
from agentcp_fsm.traces import read_trace, replay, write_trace

SESSION = Session("192.0.2.1", 5000, 42, "token")
LIFE: tuple[tuple[events.Event, float], ...] = (
    (events.Start(), 0.0),
    (events.SignedIn(1, SESSION), 0.5),
    (events.SocketOpened(1), 0.6),
    (events.BeatSent(1), 0.6),
    (events.BeatAnswered(1, 5000), 0.7),
    (events.Unauthorized(1), 3.0),
)


def is_never_online(machine: Lifecycle) -> bool:
    return machine.state != "ONLINE"


@pytest.mark.slow
def test_an_added_invariant_that_breaks_is_shown_with_a_program_and_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = Config(interval_max=10.0)
    with pytest.raises(InvariantError, match="is_never_online does not hold in ONLINE") as caught:
        run_state_machine_as_test(connection_machine(config, [is_never_online]))
    (shown,) = [note for note in caught.value.__notes__ if note.startswith("As a trace: agentcp-fsm trace replay ")]
    trace = read_trace(shown.rpartition(" ")[2])
    assert trace.config == config
    assert trace.steps[-1].state == "ONLINE"
    assert replay(trace) is None
    (note,) = [note for note in caught.value.__notes__ if note.startswith("As a script:")]
    program = note.partition("\n\n")[2]
    names: dict[str, object] = {}
    exec(program, names)
    watched = names["watched"]
    assert getattr(watched, "machine").state == "ONLINE"  # noqa: B009 - what the program made
    assert getattr(watched, "machine").config == config  # noqa: B009


@given(
    config=strategies.configs(),
    steps=st.lists(st.tuples(strategies.events(), strategies.DELAYS | st.just(float("nan"))), max_size=8),
)
@settings(max_examples=30)
def test_a_script_prints_as_a_program_that_does_the_same(
    config: Config, steps: list[tuple[events.Event, float]]
) -> None:
    script = Script(config, 7, tuple(steps))
    names: dict[str, object] = {}
    exec(str(script), names)
    with TemporaryDirectory() as folder:
        write_trace(Path(folder, "life.trace"), script.trace())
        assert replay(read_trace(Path(folder, "life.trace"))) is None
    assert getattr(names["watched"], "machine").snapshot() == script.replay().machine.snapshot()  # noqa: B009


def test_a_script_is_shortened_to_what_matters() -> None:
    def goes_online(script: Script) -> bool:
        return script.replay().machine.statistics.times_online > 0

    noise = tuple((events.BeatSent(9), at / 1000) for at in range(400))
    life = Script(Config(), 1, LIFE[:1] + noise + LIFE[1:])
    short = life.shortened(goes_online)
    kinds = [type(event).__name__ for event, _ in short.steps]
    assert kinds == ["Start", "SignedIn", "SocketOpened", "BeatAnswered"]


def test_secrets_are_written_out_for_the_program_to_run() -> None:
    assert re.search(r"cookie=42, token='token'", str(Script(Config(), 1, LIFE)))
    assert Script(Config(), 1, LIFE).violation() is None


def test_a_virtual_world_has_the_faults_as_contexts() -> None:
    world = World(Lifecycle(Config(), Random(1)))
    world.tell(events.Start())
    world.run_until("ONLINE", 10.0)
    with world.outage():
        world.run_until("BACKOFF", 100.0)
    world.run_until("ONLINE", 100.0)
    world.restart()
    with world.refuse_sign_ins(retry_after=100.0):
        world.run_until("BACKOFF", 100.0)
        world.run_for(50.0)
    assert (world.sign_ins, world.retry_after) == ("succeed", None)
    assert world.run_until("ONLINE", 200.0) > 40.0
