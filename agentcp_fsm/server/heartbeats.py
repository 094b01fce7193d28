"""Heartbeats and invitations: what the server does with each datagram, and what its faults do to it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from random import Random

from agentcp_fsm.errors import WireError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.server.faults import Direction, Faults, Unauthorized
from agentcp_fsm.server.registry import Agent, Agents
from agentcp_fsm.server.sockets import Address, Endpoint
from agentcp_fsm.server.statistics import Counters
from agentcp_fsm.wire import (
    UNAUTHORIZED,
    Codec,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
    Message,
)

logger = logging.getLogger(__name__)


class Heartbeats:
    """Answers datagrams; it owns no socket but the stranger's, which a fault needs."""

    def __init__(
        self,
        codec: Codec,
        next_beat: int,
        agents: Agents,
        counters: Counters,
        *,
        clock: Callable[[], float],
        rng: Random,
        delayed_limit: int,
    ) -> None:
        self._codec = codec
        self._next_beat = next_beat
        self._agents = agents
        self._counters = counters
        self._clock = clock
        self._rng = rng
        self._delayed_limit = delayed_limit
        self._delayed: set[asyncio.TimerHandle] = set()
        self._awaited: list[tuple[str, Invitation, asyncio.Future[InviteResponse]]] = []
        """Invitations whose answers are awaited, with the keys of the invited agents."""
        self._sequence = 0
        """MessageSeq of the server's own latest invitation."""
        self.faults = Faults()
        self._stranger: Endpoint | None = None
        """What sends in the server's place; None: the server itself."""

    def set_faults(self, faults: Faults, codec: Codec) -> None:
        """Obey these, and write in this way, from now on; what is already delayed stays as it is."""
        self.faults = faults
        self._codec = codec

    def set_stranger(self, stranger: Endpoint | None) -> None:
        """Send from this endpoint instead of the server's, until another or None is set, which closes it."""
        if self._stranger is not None:
            self._stranger.close()
        self._stranger = stranger

    def close(self) -> None:
        """Forget the delayed datagrams and the stranger."""
        self.set_stranger(None)
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()

    def received(self, data: bytes, address: Address, endpoint: Endpoint) -> None:
        """Take one datagram at the server's port."""
        message = self._decode(data)
        if isinstance(message, HeartbeatRequest):
            self._heartbeat(message, address, endpoint)
        elif isinstance(message, InviteResponse):
            self._invite_answered(message)
        elif message is not None:
            self._unexpected(message)

    def received_at_old_port(self, data: bytes, address: Address, endpoint: Endpoint) -> None:
        """Take one datagram at a port that the server moved away from, where each heartbeat gets a 401."""
        message = self._decode(data)
        if isinstance(message, HeartbeatRequest):
            self._respond(message, UNAUTHORIZED, address, endpoint)
        elif message is not None:
            self._unexpected(message)

    def received_by_stranger(self, _data: bytes, _address: Address, _endpoint: Endpoint) -> None:
        """Take one datagram at the stranger's port, where no client has reason to send anything."""
        self._counters.datagrams += 1
        self._counters.unexpected += 1

    async def invite(
        self, agent: Agent, address: Address, invitation: Invitation, patience: float, endpoint: Endpoint
    ) -> InviteResponse:
        """Send an invitation and await its answer for `patience` seconds; see `HeartbeatServer.invite`."""
        data = self._codec.encode(InviteRequest(self._sequence + 1, invitation))
        self._sequence += 1
        answer: asyncio.Future[InviteResponse] = asyncio.get_running_loop().create_future()
        awaited = (agent.key, invitation, answer)
        self._awaited.append(awaited)
        try:
            agent.invitations += 1
            self._counters.invitations += 1
            logger.debug("inviting %r at %s", agent.agent_id, address)
            self._send(data, address, endpoint)
            async with asyncio.timeout(patience):
                return await answer
        finally:
            self._awaited.remove(awaited)

    def _decode(self, data: bytes) -> Message | None:
        """Return the message, or None for a malformed one and for what a fault loses."""
        self._counters.datagrams += 1
        if self.faults.drop and self._loses(Direction.REQUESTS):
            self._counters.dropped += 1
            return None
        try:
            return self._codec.decode(data)
        except WireError as error:
            self._counters.malformed += 1
            logger.debug("malformed datagram: %s", error)
            return None

    def _unexpected(self, message: Message) -> None:
        self._counters.unexpected += 1
        logger.debug("unexpected datagram: %s", type(message).__name__)

    def _heartbeat(self, message: HeartbeatRequest, address: Address, endpoint: Endpoint) -> None:
        agent = self._agents.by_cookie.get(message.sign_cookie)
        if agent is None or not agent.is_named(message.agent_id):
            self._respond(message, UNAUTHORIZED, address, endpoint)
            return
        self._counters.heartbeats += 1
        agent.heartbeats += 1
        agent.last_sequence = message.sequence
        agent.last_seen = self._clock()
        agent.address = address[:2]
        faults = self.faults
        next_beat = self._next_beat if faults.next_beat is None else faults.next_beat
        if faults.unauthorized is not Unauthorized.OFF:
            next_beat = UNAUTHORIZED
            if faults.unauthorized is Unauthorized.ONCE:
                self.faults = replace(faults, unauthorized=Unauthorized.OFF)
        self._respond(message, next_beat, address, endpoint)

    def _respond(self, message: HeartbeatRequest, next_beat: int, address: Address, endpoint: Endpoint) -> None:
        if next_beat == UNAUTHORIZED:
            self._counters.unauthorized += 1
        else:
            self._counters.answers += 1
        logger.debug("heartbeat %d of %r from %s: NextBeat %d", message.sequence, message.agent_id, address, next_beat)
        self._send(self._codec.encode(HeartbeatResponse(message.sequence, next_beat)), address, endpoint)

    def _invite_answered(self, message: InviteResponse) -> None:
        agent = self._agents.by_cookie.get(message.sign_cookie)
        if agent is None or not agent.is_named(message.agent_id):
            self._unexpected(message)
            return
        agent.invitations_answered += 1
        self._counters.invitations_answered += 1
        logger.debug("%r answered an invitation", agent.agent_id)
        for key, invitation, answer in self._awaited:
            # Some SDKs answer with an empty SessionId (protocol, "Datagrams"): then the first that waits is meant.
            if (
                key == agent.key
                and message.inviter_agent_id == invitation.inviter_agent_id
                and message.session_id in (invitation.session_id, "")
                and not answer.done()
            ):
                answer.set_result(message)
                return

    def _send(self, data: bytes, address: Address, endpoint: Endpoint) -> None:
        faults = self.faults
        if faults.silent or (faults.drop and self._loses(Direction.ANSWERS)):
            self._counters.dropped += 1
            return
        sender = self._stranger or endpoint
        for _ in range(faults.copies):
            if faults.delay:
                self._send_later(data, address, sender, faults.delay)
            else:
                sender.send(data, address)

    def _send_later(self, data: bytes, address: Address, sender: Endpoint, delay: float) -> None:
        if len(self._delayed) >= self._delayed_limit:
            self._counters.dropped += 1
            return

        def send() -> None:
            self._delayed.discard(handle)
            sender.send(data, address)

        handle = asyncio.get_running_loop().call_later(delay, send)
        self._delayed.add(handle)

    def _loses(self, direction: Direction) -> bool:
        faults = self.faults
        return faults.direction in (Direction.BOTH, direction) and self._rng.random() < faults.drop
