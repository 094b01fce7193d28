"""The SDK's client after its repair by hand, as the problem's own description has it; nothing of its source is copied.

It has what the description says, with what the repair left behind.  Silence for three intervals, three failures in a
row and a 401 mean a new sign-in and a new socket.  Waits grow by 5 s up to 30 s, without jitter, and HTTP has timeouts.
One thread spins while the other one signs in, and a 401 is an interval before it is a refusal.
"""

import io
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

SILENT_INTERVALS = 3
FAILURES = 3
WAIT = 5.0
"""Seconds by which each wait is longer than the last, and between two tries at least."""
WAIT_MAX = 30.0
HTTP_TIMEOUTS = (3.0, 10.0)
"""Seconds to connect, and to read."""
INTERVAL_MIN = 5.0
LOOKING = 1.0
"""Seconds between two looks at the clock."""
JOINING = 3.0
"""Seconds that going offline waits for each thread."""


class RepairedClient:
    """A client with the SDK's sign-in and messages, and a life of its own in two threads."""

    def __init__(self, agent_id: str, url: str, certificates: str, password: str) -> None:
        from agentcp.base import auth_client

        wire = auth_client.requests
        auth_client.requests = SimpleNamespace(post=partial(wire.post, timeout=HTTP_TIMEOUTS))
        self.agent_id = agent_id
        self.auth_client: Any = auth_client.AuthClient(agent_id, url, certificates, password)
        self.handler: Callable[[object], None] | None = None
        self.udp_socket: socket.socket | None = None
        self.address = ("127.0.0.1", 0)
        self.sign_cookie = 0
        self.interval = INTERVAL_MIN
        self.answered = 0.0
        self.sent = 0.0
        self.sequence = 0
        self.failures = {"send": 0, "receive": 0}
        self.reconnecting = False
        self.last_try = 0.0
        self.is_running = False
        self.threads: list[threading.Thread] = []

    def online(self) -> None:
        """Sign in, and have two threads keep it so."""
        self.is_running = True
        self._reconnect()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    def offline(self) -> None:
        """First the decision, then the socket, then the workers."""
        self.is_running = False
        self._close()
        for thread in self.threads:
            thread.join(JOINING)
        self.auth_client.sign_out()

    def _reconnect(self) -> None:
        """Sign in until it succeeds, then open a new socket to the new address; one thread at a time."""
        if self.reconnecting:
            return
        self.reconnecting = True
        try:
            self._close()
            failed = 0
            while self.is_running:
                self._wait(self.last_try + min(max(failed, 1) * WAIT, WAIT_MAX))
                self.last_try = time.time()
                if self.is_running and (session := self.auth_client.sign_in()):
                    self.address = session["server_ip"], int(session["port"])
                    self.sign_cookie = session["sign_cookie"]
                    break
                failed += 1
            self.failures = {"send": 0, "receive": 0}
            self.answered, self.sent = time.time(), 0.0
            if self.is_running:
                opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                opened.settimeout(LOOKING)
                self.udp_socket = opened
        finally:
            self.reconnecting = False

    def _wait(self, until: float) -> None:
        while self.is_running and time.time() < until:
            time.sleep(min(LOOKING, max(until - time.time(), 0.0)))

    def _close(self) -> None:
        if (opened := self.udp_socket) is not None:
            self.udp_socket = None
            opened.close()

    def _failed(self, what: str) -> None:
        self.failures[what] += 1
        if self.failures[what] >= FAILURES:
            self._reconnect()

    def _send(self) -> None:
        from agentcp.msg.message_serialize import HeartbeatMessageReq

        while self.is_running:
            if self.reconnecting:
                continue  # as was measured: it spins
            if time.time() - self.answered > SILENT_INTERVALS * self.interval:
                self._reconnect()
            if time.time() > self.sent + max(self.interval, INTERVAL_MIN):
                self.sent = time.time()
                request = HeartbeatMessageReq()
                request.header.PayloadSize = 100
                self._send_message(request, 513)
            time.sleep(LOOKING)

    def _send_message(self, message: Any, kind: int) -> None:
        self.sequence += 1
        message.header.MessageMask = 0
        message.header.MessageSeq = self.sequence
        message.header.MessageType = kind
        message.AgentId = self.agent_id
        message.SignCookie = self.sign_cookie
        written = io.BytesIO()
        message.serialize(written)
        try:
            assert self.udp_socket is not None
            self.udp_socket.sendto(written.getvalue(), self.address)
        except (AssertionError, OSError):
            self._failed("send")
        else:
            self.failures["send"] = 0

    def _receive(self) -> None:
        while self.is_running:
            if self.reconnecting or (opened := self.udp_socket) is None:
                continue  # as was measured: it spins
            try:
                datagram, _ = opened.recvfrom(1536)
            except TimeoutError:
                continue
            except OSError:
                time.sleep(1.5)
                self._failed("receive")
                continue
            self.failures["receive"] = 0
            self._take(datagram)

    def _take(self, datagram: bytes) -> None:
        from agentcp.msg import message_serialize as messages

        header, _ = messages.UdpMessageHeader.deserialize(datagram, 0)
        if header.MessageType == 258:
            answer, _ = messages.HeartbeatMessageResp.deserialize(datagram, 0)
            self.answered = time.time()
            self.interval = answer.NextBeat / 1000
            if answer.NextBeat == 401:
                self._reconnect()
        elif header.MessageType == 259 and self.handler is not None:
            invitation, _ = messages.InviteMessageReq.deserialize(datagram, 0)
            self.handler(invitation)
            response = messages.InviteMessageResp()
            response.InviterAgentId = invitation.InviterAgentId
            self._send_message(response, 516)
