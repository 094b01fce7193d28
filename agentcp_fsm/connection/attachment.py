"""How a connection is attached to an event loop: the effects of `start`, `stop`, a fork and the end of a loop.

Theory of operation
===================

The life of a connection (`agentcp_fsm.lifecycle`) runs in the thread of one loop; an application calls `start` and
`stop` from any thread, and from a signal's handler.  This machine stands between them.  `start` takes hold of a hub
and posts to its loop that the life is to begin.  Once the life has come to rest, the connection lets go of the hub,
unless another start is on its way to the loop.

Starts and stops reach the loop in the order of their calls, those of a signal's handler included: no handler
interrupts a start (`agentcp_fsm.support.signals.uninterrupted`), unless the system has no thread.  A start counts from
its call on: while one is on its way, the connection does not count as OFFLINE.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from weakref import WeakSet

from agentcp_fsm.connection.driver import Driver
from agentcp_fsm.connection.handlers import Handlers, Kind
from agentcp_fsm.connection.hub import Hub
from agentcp_fsm.connection.lease import Lease
from agentcp_fsm.connection.waiting import Waiters
from agentcp_fsm.fsm.chart import Chart, ChartState, Role, Row
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.events import DeadlinePassed, Start, Stop
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.support import signals
from agentcp_fsm.support.log import Flood, logger_of
from agentcp_fsm.support.quoting import quoted

logger = logger_of(__name__)


TRANSITIONS_KEPT = 32
"""How many of its latest transitions a connection remembers."""


class AttachmentState(StrEnum):
    """The states of an attachment."""

    DETACHED = "DETACHED"
    ATTACHING = "ATTACHING"
    STARTING = "STARTING"
    ATTACHED = "ATTACHED"
    LEAVING = "LEAVING"


DETACHED, ATTACHING, STARTING, ATTACHED, LEAVING = AttachmentState
HELD = (STARTING, ATTACHED, LEAVING)
"""A hub is held."""

STATES = (
    ChartState(DETACHED, "At rest: the first state and the last.", owns="nothing", role=Role.REST),
    ChartState(ATTACHING, "A start is taking hold of a hub.", owns="the lock", role=Role.WORKING),
    ChartState(STARTING, "A start is on its way to the loop.", owns="a hub, a posted call", role=Role.WORKING),
    ChartState(ATTACHED, "Every start has reached the loop; the life is under way.", owns="a hub", role=Role.HEALTHY),
    ChartState(LEAVING, "A stop has reached the loop; the life is coming to rest.", owns="a hub", role=Role.LEAVING),
)
GUARDS = {"more_starts_posted": "another start is on its way to the loop"}
ACTIONS = {
    "take_hub": "hold the hub of the loop, begun if there is none, and attach the driver to it",
    "post_start": "have the loop begin the life",
    "count_begun": "one start less is on its way",
    "let_go": "detach the driver; the hub is released",
    "forget": "put everything back as it was before the first start, without touching the loop",
}


def _ignored(trigger: str, source: tuple[str, ...], reason: str) -> Row:
    return Row(trigger, source, None, reason=reason, ignored=True)


ROWS = (
    Row("start", DETACHED, ATTACHING, after="take_hub",
        reason="The application wants to be reachable."),
    _ignored("start", (ATTACHING,), "The handler of a signal interrupted a start, which goes on after it."),
    Row("start", STARTING, None, before="post_start",
        reason="Starts and stops reach the loop in the order of their calls."),
    Row("start", (ATTACHED, LEAVING), STARTING, before="post_start",
        reason="The life decides what a start comes to."),

    Row("hub_taken", ATTACHING, STARTING, before="post_start",
        reason="The loop is there."),
    _ignored("hub_taken", (DETACHED, *HELD), "A fork ended the start."),
    Row("hub_refused", ATTACHING, DETACHED,
        reason="There is no loop, or no thread for one: the start raises the error."),
    _ignored("hub_refused", (DETACHED, *HELD), "A fork ended the start."),

    Row("begun", STARTING, None, conditions="more_starts_posted", after="count_begun",
        reason="The next start is on its way."),
    Row("begun", STARTING, ATTACHED, after="count_begun",
        reason="The life begins, or goes on."),
    _ignored("begun", (DETACHED, ATTACHING, ATTACHED, LEAVING), "The start of an earlier stay."),

    Row("stop", ATTACHED, LEAVING,
        reason="The application wants out; the life comes to rest within a bounded time."),
    _ignored("stop", (STARTING,), "The start on its way was called after the stop."),
    _ignored("stop", (DETACHED, ATTACHING, LEAVING), "It is stopped already."),

    Row("at_rest", (ATTACHED, LEAVING), DETACHED, after="let_go",
        reason="The life is OFFLINE, and nothing of the loop is needed."),
    _ignored("at_rest", (STARTING,), "The start on its way needs the loop."),
    _ignored("at_rest", (DETACHED, ATTACHING), "Nothing is held."),

    Row("loop_closed", HELD, DETACHED, after="forget",
        reason="The loop was closed without a stop: the life ends without a sign-out."),
    _ignored("loop_closed", (DETACHED, ATTACHING), "Nothing is held."),

    Row("forked", (ATTACHING, *HELD), DETACHED, after="forget",
        reason="The loop is the parent's: a forked child has a clean slate."),
    Row("forked", DETACHED, None, after="forget",
        reason="The child counts from zero."),
)  # fmt: skip

CHART = Chart("attachment", DETACHED, STATES, ROWS, GUARDS, ACTIONS)


class Attachment:
    """One connection's attachment, and the listener of its driver; thread-safe.

    Nothing that may block or log happens under its lock, but for taking hold of a hub.
    """

    __slots__ = (
        "__weakref__",
        "_hold_hub",
        "_lock",
        "_starts",
        "_stops",
        "_unheard",
        "agent_id",
        "driver",
        "handlers",
        "last_error",
        "state",
        "transitions",
        "waiters",
    )

    step: Callable[..., Row]

    def __init__(
        self, make_driver: Callable[[Attachment], Driver], hold_hub: Callable[[], Hub], handlers: Handlers
    ) -> None:
        self._hold_hub = hold_hub
        self.handlers = handlers
        self.state = DETACHED
        self._clean_slate()
        self.driver = make_driver(self)
        self.agent_id = self.driver.agent_id
        self._unheard = Flood(logger, logging.WARNING, self.agent_id, "an invitation from %s finds no handler")

    def _clean_slate(self) -> None:
        self._lock = threading.RLock()  # a signal's handler may start what is being started
        self._starts = 0
        """Starts that are on their way to the loop."""
        self._stops: list[Callable[[], None]] = []
        """What to call when the stopping under way is over; the loop's alone."""
        self.waiters = Waiters()
        self.transitions: list[ReportTransition] = []
        """The latest, `TRANSITIONS_KEPT` at most; a new list with each, so that other threads may read it."""
        self.last_error: str | None = None

    # What the faces ask for, from any thread --------------------------------------------------------------------------

    @property
    def lease(self) -> Lease | None:
        """The present stay at a hub, if the connection is attached."""
        return self.driver.lease

    @property
    def settled_lease(self) -> Lease | None:
        """The same, after a start that is being made in another thread."""
        return None if self.state is DETACHED else signals.uninterrupted(self._locked_lease)

    def _locked_lease(self) -> Lease | None:
        with self._lock:
            return self.lease

    def is_in(self, states: frozenset[State]) -> bool:
        """Whether the connection is in one of the states; not in OFFLINE while a start is on its way."""
        state = self.driver.lifecycle.state
        return state in states and (state is not State.OFFLINE or self.state is DETACHED)

    def start(self) -> None:
        """Begin the life; raises what taking hold of a hub raises."""
        with self._lock:
            self.step("start")

    def post_stop(self, lease: Lease, notify: Callable[[], None]) -> bool:
        """End the life and have `notify` called in the loop when that is over; False if the loop is closed."""
        return lease.hub.post(partial(self._stop, lease, notify))

    def loop_closed(self) -> None:
        """The loop is closed: nothing in it will run again."""
        with self._lock:
            lease = self.lease
            self.step("loop_closed")
        if lease is not None:
            lease.hub.release()

    def forked(self) -> None:
        """This process is a forked child: nothing of the loop is there."""
        self._lock = threading.RLock()  # another thread of the parent may have held it
        self.step("forked")

    # What happens in the loop -----------------------------------------------------------------------------------------

    def _begin(self, lease: Lease) -> None:
        with self._lock:
            if self.lease is not lease:
                return
            self.step("begun")
        self.driver.feed(Start())

    def _stop(self, lease: Lease, notify: Callable[[], None]) -> None:
        with self._lock:
            if self.lease is not lease:
                notify()
                return
            self.step("stop")
        self._stops.append(notify)
        if self.driver.lifecycle.state is State.OFFLINE:
            self._end_stops()  # the start on its way was called after this stop
        else:
            self.driver.feed(Stop())

    def _end_stops(self) -> None:
        stops, self._stops = self._stops, []
        for notify in stops:
            notify()

    def _rest(self) -> None:
        with self._lock:
            lease = self.lease
            self.step("at_rest")
        if lease is not None and self.state is DETACHED:
            lease.hub.release()
            self.driver.end_floods()
            self.handlers.end_floods()
            self._unheard.end()

    # What the driver reports, in the loop -----------------------------------------------------------------------------

    def transitioned(self, transition: ReportTransition) -> None:
        """The lifecycle's state changed."""
        self.transitions = [*self.transitions[1 - TRANSITIONS_KEPT :], transition]
        if transition.source == State.OFFLINE:
            self.last_error = None
        level = logging.WARNING if transition.lost else logging.INFO
        fields = {
            "agent": self.agent_id,
            "source": str(transition.source),
            "dest": str(transition.dest),
            "trigger": transition.trigger,
            "attempt": self.driver.lifecycle.attempt,
        }
        logger.log(
            level,
            "%s %s -> %s: %s",
            *(self.agent_id, transition.source, transition.dest, _told(transition)),
            extra=fields,
        )
        self._call("transition", transition)
        entered = transition.dest
        if entered is State.OFFLINE:
            self._rest()
        if entered is not State.OFFLINE or self.state is DETACHED:
            self.waiters.entered(entered)
        if transition.source == State.STOPPING:
            self._end_stops()

    def invited(self, invitation: Invitation) -> None:
        """An invitation is to be delivered."""
        if not self.handlers.of("invite"):
            self._unheard.log(quoted(invitation.inviter_agent_id))
        self._call("invite", invitation)

    def failed(self, reason: str) -> None:
        """Something needs a person."""
        self.last_error = reason
        logger.error("%s: %s", self.agent_id, reason, extra={"agent": self.agent_id})
        self._call("error", reason)

    def _call(self, kind: Kind, argument: object) -> None:
        if (lease := self.lease) is not None:
            self.handlers.call(kind, argument, lease.hub.loop)

    # The chart's guards and actions, under the lock -------------------------------------------------------------------

    def more_starts_posted(self) -> bool:
        return self._starts > 1

    def take_hub(self) -> None:
        hub: Hub | None = None
        try:
            hub = self._hold_hub()
            if self.state is not ATTACHING:
                return  # this is a child that was forked meanwhile, and the hub its parent's
            _attached.add(self)
            self.driver.attach(hub)
        except BaseException:
            self.step("hub_refused")
            if hub is not None:
                hub.release()
            raise
        self.step("hub_taken")

    def post_start(self) -> None:
        lease = self.lease
        assert lease is not None
        self._starts += 1
        lease.hub.post(partial(self._begin, lease))

    def count_begun(self) -> None:
        self._starts -= 1

    def let_go(self) -> None:
        self.driver.detach()

    def forget(self) -> None:
        self.driver.reset()
        self.handlers.forget()
        self._clean_slate()


def _told(transition: ReportTransition) -> str:
    """What a line of the log says of a transition."""
    if not transition.lost:
        return transition.text
    silent = transition.trigger == DeadlinePassed.trigger
    text = transition.detail if silent else transition.text
    return text if transition.dest is not State.RECONNECTING else f"{text.rstrip('.')}; next try at once"


Attachment.step = CHART.compile(Attachment, arity=0)

_attached: WeakSet[Attachment] = WeakSet()
"""The attachments that were ever started, so that a forked child can put its copies to rest."""


def forget_in_child() -> None:
    """Put all connections to rest, in a forked child."""
    for attachment in list(_attached):
        attachment.forked()
    _attached.clear()
