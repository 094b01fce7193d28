"""Signing in, signing out and asking who is online, as a raw client sees them."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, settings

from agentcp_fsm.server import Limits, ServerThread
from agentcp_fsm.sign_in import Credentials
from agentcp_fsm.wire import UNAUTHORIZED
from tests.server.client import ALICE, BOB, Client, public_pem
from tests.sign_in.certificates import make_identity

PROPERTY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
OTHER = make_identity(ALICE)


def test_a_session_is_what_the_protocol_says(server: ServerThread, stranger: Client) -> None:
    session = stranger.sign_in()
    assert (session["server_ip"], session["port"]) == server.udp_address
    assert 0 <= session["sign_cookie"] < 2**64
    assert len(session["signature"]) >= 32
    counted = server.statistics()
    assert (counted.calls, counted.challenges, counted.sign_ins, counted.sessions, counted.nonces) == (2, 1, 1, 1, 0)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_any_curve_will_do(server: ServerThread, curve: ec.EllipticCurve) -> None:
    with Client(server, identity=make_identity(ALICE, curve=curve)) as client:
        client.sign_in()


def test_agent_ids_are_compared_without_case(server: ServerThread, agent: Client) -> None:
    with Client(server, ALICE.upper()) as shouting:
        shouting.sign_in()
        assert shouting.next_beat() == 7000
    (known,) = server.agents()
    assert (known.agent_id, known.sign_ins, known.sessions) == (ALICE, 2, 2)


def test_ipv6() -> None:
    with ServerThread("::1") as server, Client(server) as client:
        assert server.url.startswith("http://[::1]:")
        assert client.sign_in()["server_ip"] == "::1"
        assert client.next_beat() == 5000


def test_a_name_of_this_machine() -> None:
    with ServerThread("localhost") as server, Client(server) as client:
        client.sign_in()
        assert client.next_beat() == 5000


def test_a_server_on_every_address_is_where_it_was_reached() -> None:
    with ServerThread("0.0.0.0") as server, Client(server) as client:
        client.url = client.url.replace("0.0.0.0", "127.0.0.1")
        assert client.sign_in()["server_ip"] == "127.0.0.1"
        assert client.next_beat() == 5000


def change_key(client: Client) -> dict[str, str]:
    return {"public_key": public_pem(OTHER)}


def change_certificate(client: Client) -> dict[str, str]:
    return {"cert": OTHER.certificate_pem}


def change_both(client: Client) -> dict[str, str]:
    return {"public_key": public_pem(OTHER), "cert": OTHER.certificate_pem}


def anothers_certificate(client: Client) -> dict[str, str]:
    client.identity = make_identity(BOB)
    return {}


def expired_certificate(client: Client) -> dict[str, str]:
    client.identity = make_identity(ALICE, valid_until=timedelta(seconds=-1))
    return {}


def future_certificate(client: Client) -> dict[str, str]:
    client.identity = make_identity(ALICE, valid_from=timedelta(hours=1))
    return {}


def signature_of_something_else(client: Client) -> dict[str, str]:
    return {"signature": client.identity.sign_hex("something else")}


def no_signature(client: Client) -> dict[str, str]:
    return {"signature": "it is not hex"}


def no_pem(client: Client) -> dict[str, str]:
    return {"cert": "it is not PEM"}


def broken_certificate(client: Client) -> dict[str, str]:
    return {"cert": client.identity.certificate_pem.replace("M", "N", 9)}


def no_elliptic_curve(client: Client) -> dict[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    certificate = client.identity.certificate
    signed = (
        x509.CertificateBuilder(certificate.issuer, certificate.subject, key.public_key(), 1)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
        .sign(key, SHA256())
    )
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {"cert": signed.public_bytes(Encoding.PEM).decode(), "public_key": public.decode()}


@pytest.mark.parametrize(
    "lie",
    [
        change_key,
        change_certificate,
        change_both,
        anothers_certificate,
        expired_certificate,
        future_certificate,
        signature_of_something_else,
        no_signature,
        no_pem,
        broken_certificate,
        no_elliptic_curve,
    ],
)
def test_who_does_not_prove_itself_is_refused(
    server: ServerThread, stranger: Client, lie: Callable[[Client], dict[str, str]]
) -> None:
    changes = lie(stranger)
    answer = stranger.answer_challenge(**changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 403)
    assert answer.json()["error"]["message"]
    counted = server.statistics()
    assert (counted.refused, counted.sessions) == (1, 0)


def test_a_nonce_is_good_once(server: ServerThread, stranger: Client) -> None:
    nonce = stranger.challenge("request").json()["nonce"]
    assert stranger.post("/sign_in", stranger.proof("request", nonce)).status_code == 200
    assert stranger.post("/sign_in", stranger.proof("request", nonce)).status_code == 401


def test_a_nonce_is_used_up_by_a_failure(server: ServerThread, stranger: Client) -> None:
    nonce = stranger.challenge("request").json()["nonce"]
    assert stranger.post("/sign_in", stranger.proof("request", nonce) | {"signature": "00"}).status_code == 403
    assert stranger.post("/sign_in", stranger.proof("request", nonce)).status_code == 401


def test_a_nonce_is_good_for_its_own_sign_in_only(server: ServerThread, stranger: Client) -> None:
    nonce = stranger.challenge("request").json()["nonce"]
    assert stranger.post("/sign_in", stranger.proof("another request", nonce)).status_code == 401
    nonce = stranger.challenge("request").json()["nonce"]
    with Client(server, BOB, make_identity(BOB)) as bob:
        assert bob.post("/sign_in", bob.proof("request", nonce)).status_code == 401
    assert stranger.post("/sign_in", stranger.proof("request", "made up")).status_code == 401


def test_a_nonce_expires() -> None:
    now = 1000.0
    with ServerThread(clock=lambda: now, limits=Limits(nonce_lifetime=60.0)) as server, Client(server) as client:
        first = client.challenge("request").json()["nonce"]
        now += 59.9
        assert client.post("/sign_in", client.proof("request", first)).status_code == 200
        second = client.challenge("request").json()["nonce"]
        now += 60.0
        assert server.statistics().nonces == 0
        assert client.post("/sign_in", client.proof("request", second)).status_code == 401


def test_nonces_are_bounded() -> None:
    with ServerThread(limits=Limits(nonces=3)) as server, Client(server) as client:
        nonces = [client.challenge("request").json()["nonce"] for _ in range(4)]
        assert server.statistics().nonces == 3
        assert client.post("/sign_in", client.proof("request", nonces[0])).status_code == 401
        assert client.post("/sign_in", client.proof("request", nonces[1])).status_code == 200


def test_an_agents_sessions_are_bounded(server: ServerThread, agent: Client) -> None:
    first = agent.cookie
    for _ in range(8):
        agent.sign_in()
    assert server.statistics().sessions == 8
    assert agent.next_beat() == 7000
    agent.cookie = first
    assert agent.next_beat() == UNAUTHORIZED


def test_agents_are_bounded() -> None:
    with ServerThread(limits=Limits(agents=1)) as server, Client(server) as alice:
        alice.sign_in()
        with Client(server, BOB, make_identity(BOB)) as bob:
            bob.sign_in()
            assert bob.next_beat() == 5000
        assert alice.next_beat() == UNAUTHORIZED
        assert [known.agent_id for known in server.agents()] == [BOB]
        assert server.statistics().sessions == 1


def test_the_server_proves_itself() -> None:
    credentials = Credentials.from_pem("server", OTHER.key_pem, OTHER.certificate_pem)
    with ServerThread(credentials=credentials) as proven, Client(proven, "ALICE.agentid.PUB") as client:
        request_id = uuid.uuid4().hex.upper()
        answer = client.challenge(request_id).json()
        key = x509.load_pem_x509_certificate(answer["cert"].encode()).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        signed = ("ALICE.agentid.PUB" + request_id).lower().encode()
        key.verify(bytes.fromhex(answer["signature"]), signed, ec.ECDSA(SHA256()))
        client.sign_in()
        proven.command("fault sign_in bad-proof")
        answer = client.challenge(request_id).json()
        with pytest.raises(InvalidSignature):
            key.verify(bytes.fromhex(answer["signature"]), signed, ec.ECDSA(SHA256()))


def test_sign_out_ends_the_session(server: ServerThread, agent: Client) -> None:
    assert agent.next_beat() == 7000
    assert agent.sign_out().status_code == 200
    assert agent.next_beat() == UNAUTHORIZED
    assert agent.sign_out().status_code == 401
    counted = server.statistics()
    assert (counted.sign_outs, counted.refused, counted.sessions) == (1, 1, 0)


def test_who_signs_in_again_is_online_only_after_a_heartbeat(server: ServerThread, agent: Client) -> None:
    def online() -> bool:
        known = server.agent(ALICE)
        assert known is not None
        assert known.online == (known.address is not None)
        return known.online

    agent.next_beat()
    assert online()
    agent.sign_out()
    assert not online()
    agent.sign_in()
    assert not online()
    agent.next_beat()
    assert online()


def test_a_session_is_signed_out_by_its_own_token_only(server: ServerThread, agent: Client) -> None:
    first = agent.cookie
    token = agent.token
    agent.sign_in()
    with Client(server, BOB, make_identity(BOB)) as bob:
        bob.sign_in()
        bob.token = token
        assert bob.sign_out().status_code == 401
    assert agent.sign_out().status_code == 200
    assert agent.next_beat() == UNAUTHORIZED
    agent.cookie = first
    assert agent.next_beat() == 7000


def test_who_is_online() -> None:
    now = 1000.0
    with ServerThread(next_beat=10.0, clock=lambda: now) as server, Client(server) as alice:

        def online(*agents: str) -> Any:
            answer = alice.post(
                "/query_online_state", {"agent_id": ALICE, "signature": alice.token, "agents": list(agents)}
            )
            assert answer.status_code == 200
            return [each["online"] for each in answer.json()["data"]]

        alice.sign_in()
        assert online(ALICE, BOB, ALICE.upper()) == [False, False, False]
        alice.next_beat()
        now += 30.0
        assert online(ALICE, BOB, ALICE.upper()) == [True, False, True]
        now += 0.1
        assert online(ALICE) == [False]
        assert online() == []
        known = server.agent(ALICE)
        assert known is not None
        assert known.silent_for == pytest.approx(30.1)
        alice.token = "made up"
        answer = alice.post("/query_online_state", {"agent_id": ALICE, "signature": "made up", "agents": []})
        assert answer.status_code == 401


@pytest.mark.parametrize("agents", [None, "alice", [1], {"alice": 1}])
def test_a_query_needs_a_list(server: ServerThread, agent: Client, agents: object) -> None:
    answer = agent.post("/query_online_state", {"agent_id": ALICE, "signature": agent.token, "agents": agents})
    assert answer.status_code == 400
    assert server.statistics().http_malformed == 1
