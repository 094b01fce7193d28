"""The reference server in a thread of its own, for programs and tests that have no event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Any, Self, TypeVar

from agentcp_fsm.errors import ServerError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.server.console import run_command
from agentcp_fsm.server.faults import Faults, OldPort
from agentcp_fsm.server.server import HeartbeatServer
from agentcp_fsm.server.statistics import AgentView, ServerStatistics
from agentcp_fsm.wire import InviteResponse

T = TypeVar("T")


class ServerThread:
    """Runs a `HeartbeatServer`, made of the same arguments, in a thread with an event loop of its own.

    Usable from any thread, and as a context manager.  The methods are those of `HeartbeatServer`, and each returns when
    it is done; they raise what those raise, and `ServerError` while the thread does not run.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.server = HeartbeatServer(*arguments, **options)
        """The server itself; it belongs to the thread, see `call`."""
        self._lock = threading.Lock()
        """Held while the thread is started or asked to stop, and while a call is handed to it."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """None: the thread does not run."""
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread and the server; see `HeartbeatServer.start`."""
        with self._lock:
            if self._loop is not None:
                raise ServerError("the server's thread runs already; stop it first")
            if self._thread is not None:
                self._thread.join()
            started: Future[asyncio.AbstractEventLoop] = Future()
            # A daemon, so that a program which forgets to stop it still ends.
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._run(started)), name="agentcp-server", daemon=True
            )
            self._thread.start()
            self._loop = started.result()

    def stop(self) -> None:
        """Stop the server and end the thread; may be repeated.  Calls under way raise `ServerError`."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._stopping.set)
                self._loop = None
            thread = self._thread
        if thread is not None:
            thread.join()

    @property
    def url(self) -> str:
        """See `HeartbeatServer.url`."""
        return self.call(lambda: self.server.url)

    @property
    def udp_address(self) -> tuple[str, int]:
        """See `HeartbeatServer.udp_address`."""
        return self.call(lambda: self.server.udp_address)

    @property
    def faults(self) -> Faults:
        """See `HeartbeatServer.faults`."""
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

    def move(self, udp_port: int = 0, old_port: OldPort = OldPort.DEAD) -> tuple[str, int]:
        """See `HeartbeatServer.move`."""
        return self.call(lambda: self.server.move(udp_port, old_port))

    def invite(self, agent_id: str, invitation: Invitation, timeout: float = 5.0) -> InviteResponse:
        """See `HeartbeatServer.invite`."""
        return self._await(lambda: self.server.invite(agent_id, invitation, timeout))

    def statistics(self) -> ServerStatistics:
        """See `HeartbeatServer.statistics`."""
        return self.call(self.server.statistics)

    def agent(self, agent_id: str) -> AgentView | None:
        """See `HeartbeatServer.agent`."""
        return self.call(lambda: self.server.agent(agent_id))

    def agents(self) -> tuple[AgentView, ...]:
        """See `HeartbeatServer.agents`."""
        return self.call(self.server.agents)

    def command(self, line: str) -> str:
        """See `agentcp_fsm.server.console.run_command`."""
        return self._await(lambda: run_command(self.server, line))

    async def _run(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        self._stopping = asyncio.Event()
        try:
            await self.server.start()
        except BaseException as error:  # noqa: BLE001 - `start` raises it again
            started.set_exception(error)
            return
        started.set_result(asyncio.get_running_loop())
        await self._stopping.wait()
        await self.server.stop()

    def call(self, function: Callable[[], T]) -> T:
        """Run `function` in the server's thread, and return what it returns."""

        async def call() -> T:
            return function()

        return self._await(call)

    def _await(self, function: Callable[[], Coroutine[None, None, T]]) -> T:
        # Under the lock, so that the loop sees the call before the request to stop.
        with self._lock:
            if self._loop is None:
                raise ServerError("the server's thread does not run; start it first")
            result = asyncio.run_coroutine_threadsafe(function(), self._loop)
        try:
            return result.result()
        except CancelledError:
            raise ServerError("the server was stopped meanwhile; start it again") from None
