"""A virtual HTTP call: a connection, and questions with answers over it, as TCP carries them over a bad network.

Each leg (SYN and its answer, a request, a response) is a packet that is sent again until it arrives: a SYN after 1, 2,
4 … s, the rest after the retransmission timeout that Linux takes from the handshake (RFC 6298, at least 0.2 s above the
round trip), doubled each time.  Lost acknowledgements, which cost nothing but a packet, are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from agentcp_fsm.testing.network import Network, Outage

Answer = TypeVar("Answer")

SYN_TIMEOUT = 1.0
"""Seconds until an unanswered SYN is sent again, and an answer to it."""
LEAST_VARIATION = 0.2
"""Seconds by which a retransmission timeout is above the round trip, at least (Linux, TCP_RTO_MIN)."""


class Call(Generic[Answer]):
    """One call; it begins when made, and ends by calling `succeed` or `fail`, once, or never after `abandon`.

    `ask` is called at the server, when the last of the `exchanges` (a TLS handshake is one) reaches it.
    """

    def __init__(
        self,
        network: Network,
        ask: Callable[[], Answer],
        succeed: Callable[[Answer], object],
        fail: Callable[[str], object],
        *,
        exchanges: int,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._network = network
        self._ask = ask
        self._succeed = succeed
        self._fail = fail
        self._exchanges = exchanges
        self._read_timeout = read_timeout
        self._leg = 0
        """The present leg: even numbers lead to the server; 0 and 1 are the handshake."""
        self._over = False
        self._answer: Answer
        if network.outage is Outage.UNSENDABLE:
            network.clock.after(0.0, self._end, "no route to host")
            return
        network.clock.after(connect_timeout, self._time_out, 0, f"not connected within {connect_timeout:g} s")
        self._send(0, SYN_TIMEOUT)

    def abandon(self) -> None:
        """Its end interests nobody."""
        self._over = True

    def _send(self, leg: int, timeout: float) -> None:
        if self._over or leg != self._leg:
            return
        if not (leg % 2 == 0 and self._network.outage is Outage.UNSENDABLE):
            self._network.carry(leg % 2 == 0, self._arrive, leg)
        self._network.clock.after(timeout, self._send, leg, 2 * timeout)

    def _arrive(self, leg: int) -> None:
        if self._over or leg != self._leg:
            return
        at_server = leg % 2 == 0
        if at_server and self._network.outage is Outage.REFUSED:
            self._network.carry(False, self._end, "connection refused" if leg == 0 else "connection reset")
            return
        last = 2 * self._exchanges
        if leg == last:
            self._answer = self._ask()
        elif leg == last + 1:
            self._over = True
            self._succeed(self._answer)
            return
        self._leg = following = leg + 1
        if following % 2 == 0:
            text = f"no answer within {self._read_timeout:g} s"
            self._network.clock.after(self._read_timeout, self._time_out, following, text)
        round_trip = self._network.weather.round_trip
        again = SYN_TIMEOUT if following == 1 else round_trip + max(LEAST_VARIATION, 2 * round_trip)
        self._send(following, again)

    def _time_out(self, leg: int, reason: str) -> None:
        if self._leg in (leg, leg + 1):
            self._end(reason)

    def _end(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._fail(reason)


__all__ = ["Call"]
