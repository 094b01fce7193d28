"""A whole life of a connection where some things are absent: ``python -m tests.platforms.life FACE ABSENCE...``

It prints one line of JSON for each thing that was seen to happen.  Agent and server are in this one process.
"""

from __future__ import annotations

import sys

from tests.platforms.absences import ABSENCES

if __name__ == "__main__":
    for _name in sys.argv[2:]:
        ABSENCES[_name]()

import asyncio
import json
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from agentcp_fsm import AsyncConnection, Connection, Invitation, State
from agentcp_fsm.connection.health import Health
from agentcp_fsm.server import OldPort, ServerThread, SignInFault
from agentcp_fsm.sign_in import waits
from agentcp_fsm.sign_in.identities import make_identity
from agentcp_fsm.support import watching
from tests.timings import WATCHFUL
from tests.waiting import until

ALICE = "alice.agentid.pub"


class Life:
    """A server, an agent and what is expected of it, step by step."""

    def __init__(self, server: ServerThread, connection: Connection | AsyncConnection) -> None:
        self.server = server
        self.connection = connection
        self.invited: list[str] = []
        self._watched_before = watched()
        connection.on_invite(lambda invitation: self.invited.append(invitation.session_id))

    def health(self) -> Health:
        """How the connection is."""
        return self.connection.health()

    def is_well(self) -> bool:
        """Whether it is online, in the session that the server knows."""
        agent = self.server.agent(ALICE)
        return self.connection.state is State.ONLINE and agent is not None and agent.online

    def live(self) -> None:
        """Everything between start and stop; the connection has been started."""
        until(self.is_well)
        self._seen("sign-in")
        self._beats()
        self._seen("beats", address=self.connection.local_address is not None)
        self.server.invite(ALICE, Invitation("bob.agentid.pub", "code", 0, "session", ""))
        until(lambda: self.invited == ["session"])
        self._seen("invitation")

        losses = self.health().statistics.losses
        self.server.set_faults(silent=True)
        until(lambda: self.health().statistics.losses > losses)
        self.server.clear_faults()
        until(self.is_well)
        self._seen("outage")

        sign_ins = self.server.statistics().sign_ins
        self.server.restart()
        until(lambda: self.server.statistics().sign_ins > sign_ins and self.is_well())
        self._seen("401")

        failures = self.health().statistics.receive_failures + self.health().statistics.send_failures
        self.server.move(old_port=OldPort.DEAD)
        until(lambda: self.health().statistics.receive_failures + self.health().statistics.send_failures > failures)
        until(self.is_well)
        self._beats()
        self._seen("nobody at the port")

        self.server.set_faults(sign_in=SignInFault.HANG)
        self.server.restart()
        until(lambda: self.connection.state is State.RECONNECTING)
        self._seen("hanging sign-in")

    def _beats(self) -> None:
        answers = self.health().statistics.answers
        until(lambda: self.health().statistics.answers > answers + 3)

    def _seen(self, what: str, **more: object) -> None:
        print(json.dumps({"seen": what} | more), flush=True)

    def ended(self, stopped: bool) -> None:
        """What is left after `stop`: nothing but what belongs to the server, and to nobody in particular."""
        until(lambda: self._threads() == ["agentcp-server"])
        self._seen(
            "stop",
            stopped=stopped,
            state=self.connection.state,
            socket=self.connection.fileno(),
            watched=watched() - self._watched_before,
        )

    def _threads(self) -> list[str]:
        names = {each.name for each in threading.enumerate() if each is not threading.main_thread()}
        return sorted(name for name in names if not name.startswith("asyncio_") and name != "agentcp-watch")


def watched() -> int:
    """How many sockets threads watch for loops that cannot."""
    return sum(len(thread.watches) for thread in watching._threads)


async def live(life: Life) -> bool:
    """The life of an `AsyncConnection`, in the running loop."""
    assert isinstance(life.connection, AsyncConnection)
    life.connection.start()
    await asyncio.to_thread(life.live)
    return await life.connection.stop()


def main(face: str, *absences: str) -> None:
    """Live once."""
    if "connecting" in absences:
        waits.ABANDONING_WAKES = False
    with TemporaryDirectory() as folder, ServerThread(next_beat=0.1) as server:
        make = Connection if face == "threaded" else AsyncConnection
        credentials = make_identity(Path(folder), ALICE)
        connection = make(ALICE, server.url, credentials=credentials, config=WATCHFUL)
        life = Life(server, connection)
        if isinstance(connection, Connection):
            connection.start()
            life.live()
            stopped = connection.stop()
        else:
            with asyncio.Runner() as runner:
                stopped = runner.run(live(life))
        life.ended(stopped)


if __name__ == "__main__":
    main(*sys.argv[1:])
