"""A fleet in an asyncio program."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from random import Random
from types import TracebackType
from typing import Protocol, Self

from agentcp_fsm.connection import AsyncConnection
from agentcp_fsm.connection.workers import WorkerPool
from agentcp_fsm.errors import AgentCPError, ConfigError, ConnectionStateError
from agentcp_fsm.fleet.descriptors import check_descriptors
from agentcp_fsm.fleet.member import Member
from agentcp_fsm.fleet.pacing import Pace
from agentcp_fsm.fleet.reports import Absent, Changes, Progress
from agentcp_fsm.fleet.seat import Seat, Stage, Watcher
from agentcp_fsm.support import clock
from agentcp_fsm.support.names import folded

logger = logging.getLogger(__name__)

MAKERS = 4
"""Threads in which connections are made: they decrypt keys."""
SIGN_OUTS = 64
"""Agents that sign out at once."""
_jitter = Random()  # noqa: S311 - it spreads load and keeps no secret


class Meter(Protocol):
    """Measures connections, as `agentcp_fsm.operations.metrics.Metrics` does."""

    def add(self, connection: AsyncConnection) -> None:
        """Measure a connection from now on."""

    def remove(self, connection: AsyncConnection) -> None:
        """Let go of a connection."""


class AsyncFleet:
    """Many agents, served by the loop that is running when the fleet is started.

    Iterating it gives what is shown of each agent: its connection, or what stands for one that has none yet.  Use it
    from that loop's thread.  As an async context manager it starts, and stops on the way out.

    - ``members``: the agents, in the order in which they are started.
    - ``starts_at_once``: how many come online at once at most, at each server; its answers decide how many do.
    - ``metrics``: measures all connections together.
    - ``on_made``: called with each connection before it is started, to add handlers of your own.
    - ``on_refused``: called with each member that cannot be started, and why.
    """

    def __init__(
        self,
        members: Iterable[Member] = (),
        *,
        starts_at_once: int = 64,
        metrics: Meter | None = None,
        on_made: Callable[[AsyncConnection], None] | None = None,
        on_refused: Callable[[Member, str], None] | None = None,
    ) -> None:
        if starts_at_once < 1:
            raise ConfigError(f"starts_at_once={starts_at_once}: give 1 or more")
        self._starts_at_once = starts_at_once
        self._metrics = metrics
        self._on_made = on_made
        self._on_refused = on_refused
        self._seats: dict[str, Seat] = {}
        self._queues: dict[str, deque[Seat]] = {}
        self._paces: dict[str, Pace] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool = WorkerPool("agentcp-fleet", MAKERS)
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._unsettled: set[Seat] = set()
        """The seats of whose start nothing has come yet."""
        self._settled = asyncio.Event()
        self._settled.set()
        self.apply(members)

    # What there is ----------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[AsyncConnection | Absent]:
        for seat in list(self._seats.values()):
            if not seat.removed:
                yield seat.shown()

    def __len__(self) -> int:
        return sum(not seat.removed for seat in list(self._seats.values()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} agents>"

    def connection(self, agent_id: str) -> AsyncConnection | None:
        """The present connection of an agent; None if it has none."""
        seat = self._seats.get(folded(agent_id))
        return None if seat is None else seat.connection

    def progress(self) -> Progress:
        """How many agents are where, from any thread."""
        counts = dict.fromkeys(("members", "waiting", "starting", "reachable", "lost", "refused"), 0)
        for seat in list(self._seats.values()):
            if not seat.removed:
                counts["members"] += 1
                counts[seat.standing()] += 1
        now = clock.now()
        waiting = [server for server, queue in list(self._queues.items()) if queue and server in self._paces]
        held = max((self._paces[server].held_until - now for server in waiting), default=0.0)
        return Progress(**counts, held=max(held, 0.0))

    async def wait_until_online(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as in Connection
        """Wait until each agent has been online once or cannot be; False if some are missing after `timeout` seconds,
        or cannot be.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._settled.wait()
        seats = [seat for seat in self._seats.values() if not seat.removed]
        return not self._unsettled and all(seat.stage is Stage.SETTLED for seat in seats)

    # Starting and stopping --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to start the agents; returns at once, and does nothing if started already.

        Raises ConfigError if this process may not open a socket for each agent, ConnectionStateError outside a loop.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConnectionStateError(
                "an AsyncFleet is started in a running event loop; elsewhere, use Fleet"
            ) from None
        if self._loop is not None:
            return
        check_descriptors(len(self))
        self._loop = loop
        self._pool = WorkerPool("agentcp-fleet", MAKERS)
        for seat in self._seats.values():
            self._enqueue(seat)
        self._pump()

    async def stop(self, timeout: float = 30.0) -> bool:  # noqa: ASYNC109 - as in Connection
        """Sign all agents out, `SIGN_OUTS` at once; True if all are at rest.

        Those that are left after `timeout` seconds are stopped at once, and each waits no longer than its own bound.
        """
        if self._loop is None:
            return True
        self._loop = None
        self._pool.close()
        if self._timer is not None:
            self._timer.cancel()
        for queue in self._queues.values():
            queue.clear()
        left = [seat for seat in self._seats.values() if seat.connection is not None]
        deadline = clock.now() + timeout
        well: list[bool] = []

        async def end(seat: Seat) -> None:
            connection, seat.connection, seat.watcher = seat.connection, None, None
            seat.stage = Stage.WAITING
            if connection is not None:
                well.append(await connection.stop())
                self._let_go(connection)

        async def end_in_turn() -> None:
            while left and clock.now() < deadline:
                await end(left.pop())

        await asyncio.gather(*(end_in_turn() for _ in range(min(SIGN_OUTS, len(left)))))
        await asyncio.gather(*map(end, left), *self._leaving)
        self._seats = {key: seat for key, seat in self._seats.items() if not seat.removed}
        self._paces.clear()
        return all(well)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # Changing while it runs -------------------------------------------------------------------------------------------

    def apply(self, members: Iterable[Member], *, keep: Iterable[str] = ()) -> Changes:
        """Have these members and no others, but for the agents to `keep` as they are.

        Only those that are new, gone or made of something else are touched; one that could not be started is tried
        again.  Raises ConfigError if an agent is there twice, or for more agents than there are descriptors.
        """
        wanted: dict[str, Member] = {}
        for member in members:
            if (other := wanted.setdefault(folded(member.agent_id), member)) is not member:
                raise ConfigError(f"the agent {member.agent_id} is there twice, at {other.place} and {member.place}")
        kept = {folded(agent_id) for agent_id in keep}
        if self._loop is not None:
            check_descriptors(len(wanted.keys() | (self._seats.keys() & kept)))
        present = {key for key, seat in self._seats.items() if not seat.removed}
        removed = [self._remove(key) for key in present - wanted.keys() - kept]
        touched: dict[str, list[str]] = {"added": [], "changed": [], "rehandled": []}
        for key, member in wanted.items():
            if done := self._put(key, member):
                touched[done].append(member.agent_id)
        self._pump()
        return Changes(
            tuple(touched["added"]), tuple(sorted(removed)), tuple(touched["changed"]), tuple(touched["rehandled"])
        )

    def add(self, member: Member) -> Changes:
        """Have this member, too, or in place of the one with its id."""
        return self.apply([member], keep=list(self._seats))

    def remove(self, agent_id: str) -> Changes:
        """Have this agent no longer: it signs out.  Without effect if it is not there."""
        key = folded(agent_id)
        return self.apply([], keep=[other for other in self._seats if other != key])

    def _put(self, key: str, member: Member) -> str:
        """Give an agent its seat, or its seat another member; returns what that came to, if anything."""
        seat = self._seats.get(key)
        if seat is None:
            seat = self._seats[key] = Seat(member)
            self._enqueue(seat)
            return "added"
        before, seat.member = seat.member, member
        if seat.removed:
            seat.removed = False  # it is still on its way out, and comes in again after that
            self._unsettle(seat)
            return "added"
        if before.made_of == member.made_of and seat.stage is not Stage.REFUSED:
            if before.handle is member.handle:
                return ""
            seat.hear()
            return "rehandled"
        if seat.connection is not None:
            self._leave(seat)
        elif seat.stage not in (Stage.MAKING, Stage.LEAVING):  # the end of both looks at the member anew
            self._withdraw(seat)
            self._enqueue(seat)
        return "changed"

    def _remove(self, key: str) -> str:
        seat = self._seats[key]
        seat.removed = True
        if seat.connection is not None:
            self._leave(seat)
        elif seat.stage is not Stage.LEAVING:
            self._withdraw(seat)
            del self._seats[key]
        self._settle(seat)
        return seat.member.agent_id

    def _leave(self, seat: Seat) -> None:
        """Sign an agent out; if it is still wanted then, it is started again."""
        connection, seat.connection = seat.connection, None
        assert connection is not None
        if seat.watcher is not None:
            self._no_longer_under_way(seat.watcher)
        seat.stage = Stage.LEAVING
        self._unsettle(seat)

        async def leave() -> None:
            await connection.stop()
            self._let_go(connection)
            seat.stage = Stage.WAITING
            key = folded(seat.member.agent_id)
            if seat.removed:
                if self._seats.get(key) is seat:
                    del self._seats[key]
            else:
                self._enqueue(seat)
                self._pump()

        task = asyncio.get_running_loop().create_task(leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _let_go(self, connection: AsyncConnection) -> None:
        if self._metrics is not None:
            self._metrics.remove(connection)

    # Bringing agents online -------------------------------------------------------------------------------------------

    def _enqueue(self, seat: Seat) -> None:
        seat.stage = Stage.WAITING
        self._unsettle(seat)
        if self._loop is not None:
            seat.server = seat.member.server
            self._queues.setdefault(seat.server, deque()).append(seat)

    def _withdraw(self, seat: Seat) -> None:
        with suppress(KeyError, ValueError):  # it does not wait
            self._queues[seat.server].remove(seat)

    def _pump(self) -> None:
        """Begin as many starts as the servers' paces allow, and look again when a pause is over."""
        if self._loop is None:
            return
        now, again = clock.now(), None
        for server, queue in self._queues.items():
            if not queue:
                continue
            pace = self._paces.setdefault(server, Pace(self._starts_at_once, _jitter.random))
            while queue and (number := pace.begin(now)) is not None:
                seat = queue.popleft()
                watcher = Watcher(self._loop, seat, pace, number, self._attempted, self._came_online)
                seat.stage, seat.watcher = Stage.MAKING, watcher
                self._submit(self._loop, seat, watcher)
            if queue and pace.held_until > now:
                again = pace.held_until if again is None else min(again, pace.held_until)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if again is None else self._loop.call_later(again - now, self._pump)

    def _submit(self, loop: asyncio.AbstractEventLoop, seat: Seat, watcher: Watcher) -> None:
        member = seat.member
        try:
            self._pool.submit(partial(self._make, loop, seat, member, watcher))
        except RuntimeError as error:  # the system has no thread
            self._made(seat, member, watcher, str(error))

    def _make(self, loop: asyncio.AbstractEventLoop, seat: Seat, member: Member, watcher: Watcher) -> None:
        """Make a connection, in a thread of the pool."""
        made: AsyncConnection | str
        try:
            made = member.make()
        except AgentCPError as error:
            made = str(error)
        except Exception as error:
            logger.exception("%s: the connection cannot be made", member.agent_id)
            made = repr(error)
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(self._made, seat, member, watcher, made)

    def _made(self, seat: Seat, member: Member, watcher: Watcher, made: AsyncConnection | str) -> None:
        if self._loop is None or seat.removed or seat.watcher is not watcher:
            self._no_longer_under_way(watcher)  # nobody waits for it any more
        elif seat.member.made_of != member.made_of:
            self._no_longer_under_way(watcher)
            self._enqueue(seat)
        elif isinstance(made, str):
            self._no_longer_under_way(watcher)
            seat.stage, seat.refusal = Stage.REFUSED, made
            self._settle(seat)
            logger.error("%s: not started: %s", member.agent_id, made)
            if self._on_refused is not None:
                self._on_refused(member, made)
        else:
            seat.begin(made)
            if self._metrics is not None:
                self._metrics.add(made)
            if self._on_made is not None:
                self._on_made(made)
            made.start()
        self._pump()

    def _attempted(self, watcher: Watcher, retry_after: float | None, own_fault: bool) -> None:
        """The first attempt of an agent failed; it goes on by itself."""
        if watcher.is_under_way:
            watcher.is_under_way = False
            if own_fault:
                watcher.pace.ended()
            else:
                watcher.pace.failed(watcher.number, clock.now(), retry_after)
            self._pump()

    def _came_online(self, watcher: Watcher) -> None:
        seat = watcher.seat
        if watcher.is_under_way:
            watcher.is_under_way = False
            watcher.pace.succeeded()
        if seat.watcher is watcher and seat.connection is not None:
            seat.connection.unobserve(watcher)
            seat.watcher = None
            seat.stage = Stage.SETTLED
            self._settle(seat)
        self._pump()

    def _no_longer_under_way(self, watcher: Watcher) -> None:
        if watcher.is_under_way:
            watcher.is_under_way = False
            watcher.pace.ended()

    def _unsettle(self, seat: Seat) -> None:
        self._unsettled.add(seat)
        self._settled.clear()

    def _settle(self, seat: Seat) -> None:
        self._unsettled.discard(seat)
        if not self._unsettled:
            self._settled.set()
