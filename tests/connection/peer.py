"""The other end of a connection, as small as it can be: a UDP socket that answers, and a sign-in that names it.

The reference server does all of this for real, in `tests/e2e`; here each test decides how the other end behaves.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from agentcp_fsm import Config, Connection, Invitation, Session
from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.wire import HeartbeatRequest, HeartbeatResponse, InviteRequest, InviteResponse, codec_named
from tests.timings import scaled
from tests.waiting import pause

FAST = scaled(1 / 100, sign_in_interval_min=0.0, backoff_max=0.1, unauthorized_spread=0.0, socket_timeout=5.0)
"""Everything that takes seconds in the field, in hundredths, and signs in again at once."""
PATIENT = replace(FAST, probe_limit=1000, silence_limit=1000, sign_in_timeout=30.0)
"""The same, but an answer may come late, as on a busy machine: silence alone ends nothing."""

INVITATION = Invitation("bob.agentid.pub", "CODE", 1893456000, "session-1", "wss://msg.agentid.pub")


class RefusedError(AgentCPError):
    """A sign-in that fails."""

    retry_after = None
    permanent = False


class Peer:
    """Server and sign-in of one or more connections."""

    def __init__(self, next_beat: int = 50, host: str = "127.0.0.1") -> None:
        self.next_beat = next_beat
        self.host = host
        self.sign_ins = 0
        self.sign_outs = 0
        self.refuse = False
        self.hang: threading.Event | None = None
        self.heartbeats = 0
        self.answered: list[InviteResponse] = []
        self.changed = threading.Condition()
        self._codec = codec_named("agentcp")
        self._open()

    def _open(self, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.host, port))
        self.clients: dict[str, Any] = {}
        self.thread = threading.Thread(target=self._serve, args=(self.socket,), daemon=True)
        self.thread.start()

    def _serve(self, opened: socket.socket) -> None:
        while True:
            data, address = opened.recvfrom(2048)
            if not data:
                opened.close()
                return
            message = self._codec.decode(data)
            with self.changed:
                if isinstance(message, HeartbeatRequest):
                    self.heartbeats += 1
                    self.clients[message.agent_id] = address
                    if self.next_beat >= 0:
                        answer = HeartbeatResponse(message.sequence, self.next_beat)
                        opened.sendto(self._codec.encode(answer), address)
                elif isinstance(message, InviteResponse):
                    self.answered.append(message)
                self.changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, 10)

    def send(self, agent_id: str, data: bytes) -> None:
        self.socket.sendto(data, self.clients[agent_id])

    def invite(self, agent_id: str, invitation: Invitation = INVITATION) -> None:
        self.send(agent_id, self._codec.encode(InviteRequest(1, invitation)))

    def close(self) -> None:
        self._end(self.socket, self.thread)

    @staticmethod
    def _end(opened: socket.socket, thread: threading.Thread) -> None:
        with socket.socket(opened.family, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", opened.getsockname())
        thread.join(10)

    def move(self) -> None:
        """Come back on another port; the old one is gone."""
        opened, thread = self.socket, self.thread
        self._open()  # first: a sign-in at this moment must not find a closed socket
        self._end(opened, thread)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Nobody listens on its port, as the kernel tells who sends there (ICMP)."""
        port = self.socket.getsockname()[1]
        self.close()
        try:
            yield
        finally:
            self._open(port)

    def sign_in(self, abandoned: object) -> Session:
        self.sign_ins += 1
        if self.hang is not None:
            self.hang.wait(10)
        if self.refuse:
            raise RefusedError("not today")
        host, port = self.socket.getsockname()[:2]
        return Session(host, port, 7, "token")

    def sign_out(self, session: Session) -> None:
        self.sign_outs += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(peer: Peer, agent_id: str = "alice.agentid.pub", config: Config = FAST) -> Connection:
    """A connection to the peer, not started."""
    return Connection(agent_id, authenticator=peer, config=config)


def _held() -> set[tuple[str, object]]:
    """The library's threads, and the descriptors that the process has open, each with what it stands for."""
    held: set[tuple[str, object]] = {("thread", each) for each in threading.enumerate() if "agentcp" in each.name}
    if not os.path.isdir("/proc/self/fd"):  # on other systems, threads are all that is looked at
        return held
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile, as the list's own is
            held.add((f"descriptor {number}", os.readlink(f"/proc/self/fd/{number}")))
    return held


@contextmanager
def nothing_left() -> Iterator[None]:
    """Fail if there are threads or descriptors that were not there before, within 5 s; what ends meanwhile may end."""
    before = _held()
    yield
    deadline = time.monotonic() + 5
    while (new := _held() - before) and time.monotonic() < deadline:
        pause()
    assert not new, f"left over: {new}"
