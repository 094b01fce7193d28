"""The server in a thread of its own, for programs that are not asyncio's: the same methods, called from anywhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from agentcp_fsm.server.console import run_command
from agentcp_fsm.server.faults import Faults
from agentcp_fsm.server.server import HeartbeatServer, ServerStatistics
from agentcp_fsm.session import Invitation
from agentcp_fsm.wire import InviteResponse

Result = TypeVar("Result")

TIMEOUT = 10.0
"""Seconds that any call waits for the server's thread at most."""


class ServerThread:
    """Runs a `HeartbeatServer` as a context manager; takes the same arguments."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.server = HeartbeatServer(*arguments, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="heartbeat-server", daemon=True)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._wait(self.server.start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._wait(self.server.stop())
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)

    def _wait(self, coroutine: Coroutine[Any, Any, Result], timeout: float = TIMEOUT) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def call(self, function: Callable[[], Result]) -> Result:
        """Run `function` in the server's thread, and return what it returns."""

        async def run() -> Result:
            return function()

        return self._wait(run())

    @property
    def url(self) -> str:
        """What agents are given as the server's URL."""
        return self.server.url

    @property
    def statistics(self) -> ServerStatistics:
        """What the server counted, as it counts."""
        return self.server.statistics

    @property
    def faults(self) -> Faults:
        """What goes wrong at present."""
        return self.server.faults

    def set_faults(self, **changes: Any) -> None:
        """See `HeartbeatServer.set_faults`."""
        self.call(lambda: self.server.set_faults(**changes))

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self.call(lambda: setattr(self.server, "faults", Faults()))

    def restart(self) -> None:
        """See `HeartbeatServer.restart`."""
        self.call(self.server.restart)

    def move(self) -> None:
        """See `HeartbeatServer.move`."""
        self.call(self.server.move)

    def invite(self, agent_id: str, invitation: Invitation, timeout: float = 5.0) -> InviteResponse:
        """See `HeartbeatServer.invite`."""
        return self._wait(self.server.invite(agent_id, invitation, timeout), timeout + TIMEOUT)

    def command(self, line: str) -> str:
        """See `agentcp_fsm.server.console.run_command`."""
        return self._wait(run_command(self.server, line))
