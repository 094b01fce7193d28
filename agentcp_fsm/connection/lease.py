"""A connection's stay at a hub."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Protocol

from agentcp_fsm.connection.hub import Hub
from agentcp_fsm.connection.protocols import Authenticator
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.support import threads
from agentcp_fsm.support.log import logger_of

logger = logger_of(__name__)


class Guest(Protocol):
    """What stays at a hub: a driver."""

    agent_id: str
    lease: Lease | None
    """The present stay."""

    def wake(self, lease: Lease) -> float:
        """Do what is due, if anything is; returns the next deadline."""

    def take(self, lease: Lease, event: Event) -> None:
        """Take an event that belongs to a stay, in that stay's loop."""


class Lease:
    """A driver's stay at a hub, from attach to detach.  It identifies calls that belong to an earlier stay."""

    __slots__ = ("_driver", "armed_at", "authenticator", "hub", "is_unsaid")

    def __init__(self, driver: Guest, hub: Hub, authenticator: Authenticator) -> None:
        self._driver = driver
        self.hub = hub
        self.authenticator = authenticator
        self.armed_at = math.inf
        self.is_unsaid = False
        """Whether the system had no thread for a sign-out."""

    @property
    def is_over(self) -> bool:
        """Whether the driver has detached from the hub."""
        return self._driver.lease is not self

    def wake(self) -> float:
        """The hub's timers say that the deadline may have passed; returns the next one."""
        return math.inf if self._driver.lease is not self else self._driver.wake(self)

    def report(self, event: Event) -> bool:
        """Feed an event to the driver, from any thread; False if the loop is closed."""
        return self.hub.post(partial(self._driver.take, self, event))

    def submit(self, job: Callable[[], None]) -> str:
        """Have the pool run `job`; returns why it cannot, or an empty text."""
        try:
            self.hub.pool.submit(job)
        except RuntimeError as error:
            if not threads.interpreter_exits():
                logger.warning("%s: the system has no thread for a call that blocks: %s", self._driver.agent_id, error)
            return str(error)
        return ""
