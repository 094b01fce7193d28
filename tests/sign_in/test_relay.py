"""What the protocol's proof does not show: that nobody is between the agent and the server."""

import socket

import requests

from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in import AuthClient, ServerProofPolicy
from tests.sign_in.calls import CREDENTIALS
from tests.sign_in.certificates import make_identity
from tests.sign_in.servers import Request, Server, SignInService, raw


def test_a_relay_passes_with_every_check_switched_on() -> None:
    """The documents say so; a change of the protocol that binds the proof to the connection would end this test."""
    root = make_identity("root", authority=True, names=None)
    seen: list[bytes] = []
    with Server(SignInService(identity=make_identity("server", root))) as true_server:

        def relay(request: Request, connection: socket.socket) -> bytes:
            answer = requests.post(true_server.url + request.path, json=request.content, timeout=10)
            seen.append(answer.content)
            return raw(answer.content, f"{answer.status_code} OK")

        with (
            Server(relay) as attacker,
            AuthClient(attacker.url, trust_roots=[root.certificate], server_proof=ServerProofPolicy.REQUIRE) as client,
        ):
            assert client.sign_in(CREDENTIALS) == Session("127.0.0.1", 5000, 7, "the token")
    assert b"the token" in seen[-1]
