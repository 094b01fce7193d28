"""A server's faults end with their contexts."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.server import Faults, SignInFault
from agentcp_fsm.testing import BreakableServer

FAULTS: dict[str, Callable[[BreakableServer], AbstractContextManager[None]]] = {
    "outage": lambda server: server.outage(),
    "silence": lambda server: server.silence(),
    "loss": lambda server: server.loss(0.5),
    "delay": lambda server: server.delay(1.0),
    "duplication": lambda server: server.duplication(3),
    "refuse_sign_ins": lambda server: server.refuse_sign_ins(429, 7),
    "hang_sign_ins": lambda server: server.hang_sign_ins(),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("raises", [False, True])
def test_a_fault_lasts_as_long_as_its_context(name: str, raises: bool) -> None:
    with BreakableServer() as server:
        try:
            with FAULTS[name](server):
                assert server.faults != Faults()
                if raises:
                    raise KeyError(name)
        except KeyError:
            assert raises
        assert server.faults == Faults()


def test_faults_of_other_kinds_go_on() -> None:
    with BreakableServer() as server:
        server.set_faults(next_beat=9)
        with server.refuse_sign_ins(429, 7):
            with server.outage():
                assert server.faults.sign_in is SignInFault.DOWN
            assert (server.faults.sign_in, server.faults.status) == (SignInFault.STATUS, 429)
            assert server.faults.retry_after == "7"
        assert server.faults == Faults(next_beat=9)


def test_an_impossible_fault_is_refused_and_changes_nothing() -> None:
    with BreakableServer() as server:
        with pytest.raises(ConfigError, match="status=200"), server.refuse_sign_ins(200):
            pytest.fail("never begun")
        assert server.faults == Faults()


def test_a_restart_may_move_the_heartbeats() -> None:
    with BreakableServer() as server:
        before = server.udp_address
        server.restart()
        assert server.udp_address == before
        server.restart(move=True)
        assert server.udp_address != before
