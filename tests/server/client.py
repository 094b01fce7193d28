"""A raw client: requests and a bare UDP socket, without the library's own client."""

import socket
import uuid
from typing import Any

import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.server import ServerThread
from agentcp_fsm.wire import (
    AgentCPCodec,
    Codec,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
    Message,
)
from tests.sign_in.certificates import Identity, make_identity

ALICE = "alice.agentid.pub"
BOB = "bob.agentid.pub"
IDENTITY = make_identity(ALICE)
"""Made once, for keys are slow to make."""
INVITATION = Invitation(BOB, "code", -1, "session", "https://messages.example")
PATIENCE = 5.0
"""Seconds after which something that must happen has not."""


def public_pem(identity: Identity) -> str:
    return identity.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


POST = b"POST /sign_in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
"""How a request begins that is written by hand."""
JSON_TYPE = {"Content-Type": "application/json"}
A_HEARTBEAT = bytes.fromhex("00010201006411616c6963652e6167656e7469642e707562000462d53c8abac0")
"""Of a session that no server of these tests has."""


class Client:
    """One agent; a context manager, which closes its sockets."""

    def __init__(
        self, server: ServerThread, agent_id: str = ALICE, identity: Identity = IDENTITY, codec: Codec | None = None
    ) -> None:
        self.agent_id = agent_id
        self.identity = identity
        self.url = server.url
        self.codec = codec or AgentCPCodec()
        self.http = requests.Session()
        self.http.trust_env = False
        host, _ = self.server_address = server.udp_address
        self.udp = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.settimeout(PATIENCE)
        self.cookie = 0
        self.token = ""
        self.sequence = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.udp.close()

    def post(self, path: str, content: Any, **options: Any) -> requests.Response:
        options.setdefault("timeout", PATIENCE)
        return self.http.post(self.url + path, json=content, allow_redirects=False, **options)

    def challenge(self, request_id: str) -> requests.Response:
        return self.post("/sign_in", {"agent_id": self.agent_id, "request_id": request_id})

    def proof(self, request_id: str, nonce: str) -> dict[str, str]:
        """What step 2 sends."""
        return {
            "agent_id": self.agent_id,
            "request_id": request_id,
            "nonce": nonce,
            "public_key": public_pem(self.identity),
            "cert": self.identity.certificate_pem,
            "signature": self.identity.sign_hex(nonce),
        }

    def answer_challenge(self, **changes: str) -> requests.Response:
        """Both steps, with some fields of the second one changed."""
        request_id = uuid.uuid4().hex
        nonce = self.challenge(request_id).json()["nonce"]
        return self.post("/sign_in", self.proof(request_id, nonce) | changes)

    def sign_in(self) -> dict[str, Any]:
        """Sign in and keep the session."""
        answer = self.answer_challenge()
        assert answer.status_code == 200, answer.text
        session: dict[str, Any] = answer.json()
        self.cookie, self.token = session["sign_cookie"], session["signature"]
        self.server_address = (session["server_ip"], session["port"])
        return session

    def sign_out(self, **options: Any) -> requests.Response:
        return self.post("/sign_out", {"agent_id": self.agent_id, "signature": self.token}, **options)

    def send(self, message: Message) -> None:
        self.udp.sendto(self.codec.encode(message), self.server_address)

    def beat(self) -> None:
        self.sequence += 1
        self.send(HeartbeatRequest(self.sequence, self.agent_id, self.cookie))

    def receive(self) -> Message:
        return self.codec.decode(self.udp.recv(2048))

    def next_beat(self) -> int:
        """Send a heartbeat and return what is answered to it."""
        self.beat()
        answer = self.receive()
        assert isinstance(answer, HeartbeatResponse)
        assert answer.sequence == self.sequence
        return answer.next_beat

    def hears_nothing(self) -> bool:
        """Whether nothing comes; to be called once the server has had its chance to send."""
        self.udp.settimeout(0.05)
        try:
            self.udp.recv(2048)
        except TimeoutError:
            return True
        finally:
            self.udp.settimeout(PATIENCE)
        return False

    def answer_invitation(self, **changes: Any) -> None:
        """Receive an invitation and answer it, with some fields changed."""
        invited = self.receive()
        assert isinstance(invited, InviteRequest)
        self.sequence += 1
        fields: dict[str, Any] = {
            "sequence": self.sequence,
            "agent_id": self.agent_id,
            "inviter_agent_id": invited.invitation.inviter_agent_id,
            "session_id": invited.invitation.session_id,
            "sign_cookie": self.cookie,
        }
        self.send(InviteResponse(**(fields | changes)))
