"""Many connections in one application's process: how they gather, come back and leave."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from agentcp_fsm import Connection, Credentials, ReportTransition, State
from tests.faults.application import Application
from tests.server_process import PATIENCE
from tests.sign_in.certificates import make_identity
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Return:
    """How a crowd came back from a 401.  Times are seconds after the first was hit."""

    first: float
    """The first sign-in."""
    median: float
    """The sign-in that half of the others preceded."""
    last: float
    """The last sign-in."""
    back: float
    """The last that was online again."""
    attempts: int
    """Sign-ins in all."""


def gather_crowd(application: Application, number: int) -> None:
    """As many agents, each with a session of its own, online."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd: list[Connection] = []
    application.kept["crowd"] = crowd
    told: list[ReportTransition] = []
    application.kept["told"] = told
    for index in range(number):
        agent_id = f"agent{index}.agentid.pub"
        identity = make_identity(agent_id)
        credentials = Credentials.from_pem(agent_id, identity.key_pem, identity.certificate_pem)
        connection = Connection(agent_id, application.url, credentials=credentials, config=application.config)
        connection.on_transition(told.append)
        crowd.append(connection)
        connection.start()
    for connection in crowd:
        assert connection.wait_for(State.ONLINE, timeout=PATIENCE * 4), connection.health()
    told.clear()


def crowd_back(application: Application) -> Return:
    """Wait until everybody was lost, and is online again."""
    crowd: list[Connection] = application.kept["crowd"]
    for connection in crowd:
        until(lambda connection=connection: connection.health().statistics.losses, PATIENCE * 4)  # type: ignore[misc]
        assert connection.wait_for(State.ONLINE, timeout=PATIENCE * 4), connection.health()
    told: list[ReportTransition] = list(application.kept["told"])
    hit = min(one.at for one in told if one.trigger == "unauthorized")
    signed_in = sorted(one.at - hit for one in told if one.dest == State.RECONNECTING)
    back = max(one.at - hit for one in told if one.dest == State.ONLINE)
    assert all(connection.health().statistics.losses == 1 for connection in crowd)
    return Return(signed_in[0], signed_in[len(signed_in) // 2], signed_in[-1], back, len(signed_in))


def disperse_crowd(application: Application) -> None:
    """Everybody leaves, all at once."""
    crowd: list[Connection] = application.kept.pop("crowd")
    for connection in crowd:
        connection.stop(timeout=0)
    for connection in crowd:
        assert connection.stop(timeout=PATIENCE), connection.health()
