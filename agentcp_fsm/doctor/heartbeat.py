"""The step that sends heartbeats over UDP."""

from __future__ import annotations

import socket
import time
from contextlib import closing

from agentcp_fsm.connection.udp import permitted
from agentcp_fsm.doctor.finding import Failed, Finding, Outcome, look_up, milliseconds, words
from agentcp_fsm.errors import WireError
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.support.messages import translated as _
from agentcp_fsm.wire import MAX_DATAGRAM, UNAUTHORIZED, Codec

HEARTBEATS = 3
"""How many heartbeats are sent until one is answered (lifecycle, rule 2)."""
HEARTBEAT_TIMEOUT = 1.0
"""Seconds that each is given."""


def check_heartbeat(agent_id: str, session: Session, codec: Codec) -> Finding:
    """Send heartbeats until one is answered; raises `Failed`."""
    to = _("{host} port {port} (UDP)").format(host=session.host, port=session.port)
    encode = codec.heartbeat_encoder(agent_id, session.cookie)
    found = look_up(session.host, session.port, socket.SOCK_DGRAM)
    try:
        address = permitted(session, found)[0]
    except OSError as error:
        raise Failed(
            _("no heartbeat is sent to {to}: {reason}").format(to=to, reason=error), _("contact the server's operator")
        ) from error
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    failure = _("no answer")
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as opened:
        sent_at: dict[int, float] = {}
        for sequence in range(1, HEARTBEATS + 1):
            sent_at[sequence] = time.monotonic()
            try:
                opened.connect(socket.getaddrinfo(address, session.port, family, socket.SOCK_DGRAM)[0][4])
                opened.send(encode(sequence))
                answer = _receive(codec, opened, sent_at[sequence] + HEARTBEAT_TIMEOUT)
            except OSError as error:
                failure = words(error)
                continue
            if answer is None:
                continue
            number, next_beat = answer
            # Whether a server repeats the number is not known; without it, the latest heartbeat is taken for it.
            answered = number if number in sent_at else sequence
            return _answered(to, time.monotonic() - sent_at[answered], answered, next_beat)
    raise Failed(
        _("{count} heartbeats to {to} came to nothing: {reason}").format(count=HEARTBEATS, to=to, reason=failure),
        _("let UDP out to there and its answers in: look at this machine's firewall, then at the network's"),
    )


def _receive(codec: Codec, opened: socket.socket, until: float) -> tuple[int, int] | None:
    """Return the sequence number and NextBeat of a heartbeat's answer; None if none comes in time."""
    while (left := until - time.monotonic()) > 0:
        opened.settimeout(left)
        try:
            answer = codec.decode_heartbeat_response(opened.recv(MAX_DATAGRAM + 1))
        except TimeoutError:
            break
        except WireError:
            continue
        if answer is not None:
            return answer
    return None


def _answered(to: str, took: float, answered: int, next_beat: int) -> Finding:
    facts = {"round_trip": took, "lost": answered - 1}
    if next_beat == UNAUTHORIZED:
        raise Failed(
            _("{to} answers 401: it does not know the session that was just made").format(to=to),
            _("tell the server's operator: its sign-in and its heartbeat service do not agree"),
            **facts,
        )
    facts["next_beat"] = next_beat / 1000
    says = _("{to} answers in {took}; the next one is due in {seconds} s").format(
        to=to, took=milliseconds(took), seconds=f"{next_beat / 1000:g}"
    )
    if answered > 1:
        says = _("{lost} of {count} unanswered; {rest}").format(lost=answered - 1, count=answered, rest=says)
        return Finding("heartbeat", Outcome.WARNING, says, _("the network loses datagrams: try again later"), facts)
    return Finding("heartbeat", Outcome.OK, says, facts=facts)
