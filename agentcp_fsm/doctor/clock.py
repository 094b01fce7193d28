"""The step that compares clocks, by the dates of the answers that the other steps got."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentcp_fsm.doctor.finding import Finding, NotTried, Outcome
from agentcp_fsm.sign_in import Transport
from agentcp_fsm.sign_in.answers import http_date
from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.sign_in.http import Answer

CLOCK_TOLERANCE = 30.0
"""Seconds that the clocks may differ: certificates are made to be valid minutes before they are needed."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request and its answer, by this machine's clock (seconds since 1970)."""

    answer: Answer
    sent_at: float
    answered_at: float


class WatchedTransport(Transport):
    """Keeps the answers, which a client does not hand on."""

    def __init__(self) -> None:
        super().__init__()
        self.exchanges: list[Exchange] = []

    def post(
        self, url: str, content: Mapping[str, object], headers: Mapping[str, str], call: Call, verify: bool | str
    ) -> Answer:
        """See `Transport.post`."""
        sent_at = time.time()
        answer = super().post(url, content, headers, call, verify)
        self.exchanges.append(Exchange(answer, sent_at, time.time()))
        return answer


def check_clock(exchanges: Sequence[Exchange]) -> Finding:
    """Compare this machine's clock with the dates of a server's answers; raises `NotTried` without a date."""
    dated = [(each, date) for each in exchanges if (date := http_date(each.answer.headers.get("Date", ""))) is not None]
    if not dated:
        raise NotTried("no answer of the server has a date")
    exchange, date = min(dated, key=lambda pair: pair[0].answered_at - pair[0].sent_at)
    # A Date is cut to whole seconds, and was written at some moment between sending and answer.
    offset = (exchange.sent_at + exchange.answered_at) / 2 - (date.timestamp() + 0.5)
    margin = 0.5 + (exchange.answered_at - exchange.sent_at) / 2
    facts = {"offset": offset, "margin": margin}
    if abs(offset) <= margin:
        return Finding("clock", Outcome.OK, f"agrees with the server's, to {margin:.1f} s", facts=facts)
    says = f"{abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} the server's, give or take {margin:.1f} s"
    if abs(offset) - margin > CLOCK_TOLERANCE:
        remedy = "set this machine's clock (timedatectl set-ntp true); certificates are judged by it"
        return Finding("clock", Outcome.WARNING, says, remedy, facts)
    return Finding("clock", Outcome.OK, says, facts=facts)
