"""The SDK's own heartbeat client, unchanged, before a bare UDP socket: what it sends and how it takes what it receives.

Each test documents one behaviour.  docs/comparison.md points here and says what ours does.
"""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agentcp_fsm import Invitation
from agentcp_fsm.wire import UNAUTHORIZED, HeartbeatRequest, HeartbeatResponse, InviteRequest, InviteResponse, Message
from tests.sdk.conftest import ALICE, PASSWORD
from tests.sdk.sdk import BOUND, SDKProgram
from tests.sign_in.servers import Server, SignInService
from tests.waiting import until
from tests.wire.strategies import NATIVE, NATIVE_VARINT

COOKIE = 7
INVITATION = Invitation("bob.agentid.pub", "CODE", 1893456000, "session-1", "wss://msg.agentid.pub")

CLIENT = """
from agentcp.heartbeat.heartbeat_client import HeartbeatClient
agent_id, password, url, certificates = sys.argv[1:]
client = HeartbeatClient(agent_id, url, certificates, password)
invited, returned = 0, threading.Semaphore(0)
def on_invite(message):
    global invited
    invited += 1
    returned.acquire(timeout=30)
client.set_on_recv_invite(on_invite)
say(signed_in=client.sign_in())
client.online()
for line in sys.stdin:
    match line.split():
        case ["interval"]: say(answer=client.heartbeat_interval)
        case ["invited"]: say(answer=invited)
        case ["return"]: returned.release()
        case ["offline"]:
            client.offline()
            client.sign_out()
            say(answer=client.receive_thread.is_alive())
"""


class Bare:
    """A UDP socket that the SDK's client takes for its server."""

    def __init__(self, certificates: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(BOUND)
        port = self.socket.getsockname()[1]
        session = {"server_ip": "127.0.0.1", "port": str(port), "sign_cookie": COOKIE, "signature": "the token"}
        self.service = Server(SignInService(session=session))
        self.service.__enter__()
        self.program = SDKProgram(CLIENT, ALICE, PASSWORD, self.service.url, certificates)
        assert self.program.said() == {"signed_in": True}
        self.first, self.client = self.socket.recvfrom(2048)

    def close(self) -> None:
        self.program.__exit__(None, None, None)
        self.service.__exit__()
        self.socket.close()

    def send(self, message: Message, *, codec: Any = NATIVE, sender: socket.socket | None = None) -> None:
        (sender or self.socket).sendto(codec.encode(message), self.client)

    def answer(self, patience: float = BOUND) -> InviteResponse:
        """The next datagram that is no heartbeat."""
        until = time.monotonic() + patience
        while True:
            self.socket.settimeout(max(until - time.monotonic(), 0.001))
            message = NATIVE.decode(self.socket.recv(2048))
            if isinstance(message, InviteResponse):
                return message

    def ask(self, what: str) -> Any:
        return self.program.ask(what)["answer"]

    def beats_every(self, expected: int) -> None:
        """Wait until the client's interval is the expected one, in milliseconds."""
        until(lambda: self.ask("interval") == expected, what=f"the interval did not become {expected} ms")


@pytest.fixture(scope="module")
def bare(certificates: str) -> Iterator[Bare]:
    """One for all tests of the module, which do not mind each other."""
    made = Bare(certificates)
    yield made
    made.close()


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        yield made


def test_its_heartbeat_is_ours_but_for_a_payload_size_of_100(bare: Bare) -> None:
    """Protocol, "Datagrams".  MessageSeq begins with 1, as ours."""
    assert bare.first == NATIVE.encode(HeartbeatRequest(1, ALICE, COOKIE, payload_size=100))


def test_a_next_beat_under_5_seconds_is_raised(bare: Bare) -> None:
    """Protocol, "Datagrams"; ours does the same, by `interval_min`."""
    bare.send(HeartbeatResponse(1, 6000))
    bare.beats_every(6000)
    bare.send(HeartbeatResponse(1, 1))
    bare.beats_every(5000)


def test_a_next_beat_is_not_bounded_from_above(bare: Bare) -> None:
    """Protocol, "Datagrams": "we also bound them from above"."""
    bare.send(HeartbeatResponse(1, 2**62))
    bare.beats_every(2**62)


def test_a_next_beat_as_a_varint_is_another_number(bare: Bare) -> None:
    """Protocol, "Datagrams"; so 401 is not recognised, and the client stays silent for 37 s instead."""
    signed_in = len(bare.service.requests)
    bare.send(HeartbeatResponse(1, 5000), codec=NATIVE_VARINT)
    bare.beats_every(34855)
    bare.send(HeartbeatResponse(1, UNAUTHORIZED), codec=NATIVE_VARINT)
    bare.beats_every(37123)
    assert len(bare.service.requests) == signed_in


def test_whoever_sends_is_believed(bare: Bare, stranger: socket.socket) -> None:
    """Lifecycle, rule 11, has us ignore datagrams from elsewhere.  Nor does either side look at MessageSeq."""
    bare.send(HeartbeatResponse(999, 7000), sender=stranger)
    bare.beats_every(7000)


def test_whoever_sends_a_401_makes_it_sign_in_each_time(bare: Bare, stranger: socket.socket) -> None:
    """Ours signs in at most every 5 s, and hears no stranger."""
    for _ in range(3):
        requests = len(bare.service.requests)
        bare.send(HeartbeatResponse(1, UNAUTHORIZED), sender=stranger)
        until(lambda: len(bare.service.requests) == requests + 2)  # noqa: B023 - it is called here
        assert len(bare.service.requests) == requests + 2, "a complete sign-in"
        bare.send(HeartbeatResponse(1, 8000))
        bare.beats_every(8000)  # it has returned


def test_an_invitation_is_answered_when_its_handler_returns_and_nothing_received_before(bare: Bare) -> None:
    """Lifecycle, rule 10, has us answer at once."""
    bare.send(HeartbeatResponse(1, 6500))
    bare.beats_every(6500)
    invited = bare.ask("invited")
    bare.send(InviteRequest(1, INVITATION))
    until(lambda: bare.ask("invited") == invited + 1)
    bare.send(HeartbeatResponse(1, 9000))
    with pytest.raises(TimeoutError):
        bare.answer(patience=0.2)
    assert bare.ask("interval") == 6500
    bare.program.tell("return")
    assert bare.answer().agent_id == ALICE
    bare.beats_every(9000)


def test_an_invitation_is_answered_with_an_empty_session_id_and_a_payload_size_of_0(bare: Bare) -> None:
    """Protocol, "Datagrams": "We send the invitation's", and the true size."""
    bare.send(InviteRequest(1, INVITATION))
    bare.program.tell("return")
    answer = bare.answer()
    assert answer == InviteResponse(answer.sequence, ALICE, INVITATION.inviter_agent_id, "", COOKIE)
    assert answer.payload_size == 0


def test_a_repeated_invitation_is_delivered_again(bare: Bare) -> None:
    """Lifecycle, rule 10, has us answer it again and deliver it once."""
    invited = bare.ask("invited")
    sequences = []
    for _ in range(2):
        bare.send(InviteRequest(1, INVITATION))
        bare.program.tell("return")
        sequences.append(bare.answer().sequence)
    assert bare.ask("invited") == invited + 2
    assert sequences[1] > sequences[0], "each datagram has a MessageSeq of its own, as ours"


def test_going_offline_leaves_a_thread_that_receives(certificates: str) -> None:
    """Ours leaves nothing."""
    bare = Bare(certificates)
    assert bare.ask("offline") is True
    bare.close()
