"""A virtual HTTP call: a connection, and questions with answers over it, as TCP carries them over a bad network.

The client sends its SYN again after 1, 2, 4 … s, and the server its answer, until the client is connected.  Each
further *leg* (a request, a response) is a packet that is sent again until it arrives: after the retransmission timeout
that Linux takes from the handshake (RFC 6298, at least 0.2 s above the round trip), doubled each time.  Lost
acknowledgements, which cost nothing but a packet, are left out.
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
SYN, SYN_ANSWER = 0, 1
"""The first two legs; even numbers lead to the server, odd ones to the client."""
TLS = 2
"""The leg of the request of the TLS handshake, the first of the exchanges, which has the connection's timeout."""


class Call(Generic[Answer]):
    """One call over TLS; it begins when made, and ends by `succeed` or `fail`, once, or never after `abandon`.

    `ask` is called at the server, when the last of the `exchanges` (the TLS handshake is one) reaches it.
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
        self._last = 2 * exchanges
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._leg = SYN
        """The present leg, which no packet has completed yet."""
        self._over = False
        self._answer: Answer
        if not network.sendable:
            network.clock.after(0.0, self._end, "no route to host")
            return
        network.clock.after(connect_timeout, self._time_out, SYN, f"not connected within {connect_timeout:g} s")
        self._send(SYN, SYN_TIMEOUT)

    def abandon(self) -> None:
        """Ignore its end."""
        self._over = True

    def _send(self, leg: int, timeout: float) -> None:
        if not self._matters(leg):
            return
        up = leg % 2 == 0
        if self._network.sendable or not up:
            self._network.carry(up, self._arrive, leg)
        self._network.clock.after(timeout, self._send, leg, 2 * timeout)

    def _arrive(self, leg: int) -> None:
        if not self._matters(leg):
            return
        if leg % 2 == 0 and self._network.outage is Outage.REFUSED:
            self._network.carry(False, self._end, "connection refused" if leg == SYN else "connection reset")
        elif leg != self._leg:  # a second SYN: the answer to the first is lost or late
            self._network.carry(False, self._arrive, SYN_ANSWER)
        else:
            self._proceed()

    def _matters(self, leg: int) -> bool:
        """Whether a packet of the leg still moves the call."""
        return not self._over and (leg == self._leg or (leg == SYN and self._leg == SYN_ANSWER))

    def _proceed(self) -> None:
        """The present leg is complete."""
        if self._leg == self._last:
            self._answer = self._ask()
        elif self._leg > self._last:
            self._over = True
            self._succeed(self._answer)
            return
        self._leg += 1
        if self._leg % 2 == 0:
            patience = self._connect_timeout if self._leg == TLS else self._read_timeout
            self._network.clock.after(patience, self._time_out, self._leg, f"no answer within {patience:g} s")
        round_trip = self._network.weather.round_trip
        again = round_trip + max(LEAST_VARIATION, 2 * round_trip)
        self._send(self._leg, SYN_TIMEOUT if self._leg == SYN_ANSWER else again)

    def _time_out(self, leg: int, reason: str) -> None:
        if self._leg in (leg, leg + 1):
            self._end(reason)

    def _end(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._fail(reason)
