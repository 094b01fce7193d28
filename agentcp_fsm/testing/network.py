"""A virtual network between agents and a server: it loses, delays, fails, and translates addresses (NAT).

All chance comes from one seeded source, so the same seed gives the same weather.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from random import Random
from typing import Generic, TypeVar

from agentcp_fsm.testing.clock import Clock

Socket = TypeVar("Socket")


class Outage(StrEnum):
    """What is wrong with a network beyond loss."""

    NONE = "none"
    SILENT = "silent"
    """Everything vanishes, without a word."""
    REFUSED = "refused"
    """The server's host answers for a process that is gone: connections are refused, datagrams too (ICMP)."""
    UNSENDABLE = "unsendable"
    """The agent's own host lets nothing out, and says so; what comes in still arrives."""
    ROUTELESS = "routeless"
    """The agent's own host has no way to the server: it sends nothing, and opens no socket either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How a network treats each packet.  Shares are from 0 to 1, times are seconds."""

    loss_up: float = 0.0
    """The share of packets to the server that is lost."""
    loss_down: float = 0.0
    """The share of packets from the server that is lost."""
    delay: float = 0.02
    """How long a packet is under way, in each direction."""
    jitter: float = 0.0
    """The most that is added to that, evenly distributed: packets may overtake each other."""
    duplication: float = 0.0
    """The share of packets that arrives twice."""

    @property
    def round_trip(self) -> float:
        """Without the jitter."""
        return 2 * self.delay


class Network:
    """Carries packets.  `weather` and `outage` may be changed at any time: they meet the packets under way as well."""

    def __init__(self, clock: Clock, random: Random, weather: Weather | None = None) -> None:
        self.clock = clock
        self.random = random
        self.weather = weather or Weather()
        self.outage = Outage.NONE

    def carry(self, up: bool, arrive: Callable[..., object], *arguments: object) -> None:
        """Put a packet on its way; where and when it arrives, `arrive` is called.

        A packet to a server that is gone arrives too: the host is there, and refuses it.
        """
        weather = self.weather
        if self.outage is Outage.SILENT:
            return
        loss = weather.loss_up if up else weather.loss_down
        if loss and self.random.random() < loss:
            return
        twice = weather.duplication and self.random.random() < weather.duplication
        for _ in range(1 + bool(twice)):
            delay = weather.delay
            if weather.jitter:
                delay += weather.jitter * self.random.random()
            self.clock.after(delay, self._arrive, arrive, arguments)

    def _arrive(self, arrive: Callable[..., object], arguments: tuple[object, ...]) -> None:
        if self.outage is not Outage.SILENT and self.outage is not Outage.ROUTELESS:
            arrive(*arguments)

    @property
    def sendable(self) -> bool:
        """Whether the agent's own host sends at all."""
        return self.outage is not Outage.UNSENDABLE and self.outage is not Outage.ROUTELESS

    def break_for(self, seconds: float, outage: Outage) -> None:
        """An outage begins now and ends by itself."""
        self.outage = outage
        self.clock.after(seconds, self._mend)

    def _mend(self) -> None:
        self.outage = Outage.NONE


class Nat(Generic[Socket]):
    """A router that translates addresses: a socket has an address outside, its *binding*, for as long as it sends.

    Only what is sent keeps a binding alive, as RFC 4787 has it at least.
    """

    _addresses = count(1)
    """Of all routers: no two bindings ever share one."""

    def __init__(self, life: float = math.inf) -> None:
        self.life = life
        """Seconds that a binding lives without being used."""
        self._bindings: dict[Socket, tuple[int, float]] = {}
        self._sockets: dict[int, Socket] = {}
        self._stranded: set[Socket] = set()

    def leaving(self, socket: Socket, now: float) -> int | None:
        """The address outside from which a datagram of the socket goes on; None: it goes nowhere."""
        if socket in self._stranded:
            return None
        address, used = self._bindings.get(socket, (0, now))
        if address == 0 or now - used > self.life:
            self._sockets.pop(address, None)
            address = next(self._addresses)
            self._sockets[address] = socket
        self._bindings[socket] = address, now
        return address

    def arriving(self, address: int, now: float) -> Socket | None:
        """The socket that a datagram to an address outside belongs to, if a binding still says so."""
        socket = self._sockets.get(address)
        if socket is None or now - self._bindings[socket][1] > self.life:
            return None
        return socket

    def close(self, socket: Socket) -> None:
        """The socket is gone."""
        address, _ = self._bindings.pop(socket, (0, 0.0))
        self._sockets.pop(address, None)
        self._stranded.discard(socket)

    def change(self) -> None:
        """All bindings are forgotten: the next datagram of each socket leaves from another address."""
        self._bindings.clear()
        self._sockets.clear()

    def strand(self) -> None:
        """All present bindings lead nowhere from now on; only a fresh socket gets through."""
        self._stranded.update(self._bindings)
        self.change()
