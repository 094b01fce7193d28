"""A status place of a threaded program."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from agentcp_fsm.operations.shown import Agents
from agentcp_fsm.operations.status import Metrics, StatusPlace


class StatusThread:
    """A `StatusPlace`, made of the same arguments, in a thread with an event loop of its own.

    It answers even while the loop that serves the connections is blocked: ``/livez`` is 503 then.  Usable from any
    thread; as a context manager it opens, and closes on the way out.
    """

    def __init__(
        self,
        address: str,
        connections: Agents,
        *,
        metrics: Metrics | None = None,
        insecure_allow_any_address: bool = False,
    ) -> None:
        self._place = StatusPlace(
            address, connections, metrics=metrics, insecure_allow_any_address=insecure_allow_any_address
        )
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        """See `StatusPlace.address`."""
        return self._place.address

    def open(self) -> None:
        """Listen; see `StatusPlace.open`.  Does nothing if it is open already."""
        with self._lock:
            if self._loop is not None:
                return
            opened: Future[asyncio.AbstractEventLoop] = Future()
            self._closing = asyncio.Event()
            # A daemon, so that a program which forgets to close it still ends.
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._run(opened)), name="agentcp-status", daemon=True
            )
            self._thread.start()
            self._loop = opened.result()

    def close(self) -> None:
        """Stop listening and end the thread; may be repeated."""
        with self._lock:
            if self._loop is not None and self._thread is not None:
                self._loop.call_soon_threadsafe(self._closing.set)
                self._thread.join()
                self._loop = self._thread = None

    async def _run(self, opened: Future[asyncio.AbstractEventLoop]) -> None:
        try:
            await self._place.open()
        except BaseException as error:  # noqa: BLE001 - `open` raises it again
            opened.set_exception(error)
            return
        opened.set_result(asyncio.get_running_loop())
        await self._closing.wait()
        await self._place.close()
