"""The processor time that a hostile answer costs its reader: no more than 50 ms, whatever it is made of."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from agentcp_fsm.errors import SignInError
from agentcp_fsm.sign_in import AuthClient, Timeouts
from tests.benchmarks.board import Board, Target
from tests.faults.rogue import ANSWERS, Rogue
from tests.sign_in.calls import CREDENTIALS
from tests.sign_in.chains import ROOT
from tests.sign_in.servers import Request, Server, as_json
from tests.sign_in.test_hostile_chain import LARGE, SERVER, SLOWER, everybodys

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")
MOST = 50.0
"""Milliseconds."""


@pytest.fixture(scope="module")
def rogue() -> Iterator[Rogue]:
    with Rogue() as running:
        yield running


@pytest.mark.benchmark(group="a hostile answer, by the reader's processor time", timer=time.thread_time)
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of(name: str, rogue: Rogue, benchmark: Any, board: Board) -> None:
    rogue.answer = name
    with AuthClient(rogue.url, timeouts=Timeouts(5, 0.5, 5)) as client:

        def sign_in() -> None:
            with pytest.raises(SignInError):
                client.sign_in(CREDENTIALS)

        benchmark.pedantic(sign_in, rounds=5, warmup_rounds=1)
    board.targets.append(Target(name, benchmark.stats.stats.max * 1e3, MOST, " ms"))


PROOFS: dict[str, list[x509.Certificate]] = {
    "a proof of 8 certificates that all issued each other": everybodys(LARGE),
    "a proof of as many signatures as may be": everybodys(LARGE)[:6],
    "a proof with keys that take too long": everybodys(SLOWER),
}


@pytest.mark.benchmark(group="a hostile answer, by the reader's processor time", timer=time.thread_time)
@pytest.mark.parametrize("name", PROOFS)
def test_an_answer_with(name: str, benchmark: Any, board: Board) -> None:
    sent = PROOFS[name]

    def respond(request: Request, connection: socket.socket) -> bytes:
        signed = (request.content["agent_id"] + request.content["request_id"]).lower().encode()
        proof = {
            "cert": b"".join(each.public_bytes(Encoding.PEM) for each in sent).decode(),
            "signature": SERVER.sign(signed, ec.ECDSA(SHA256())).hex(),
        }
        return as_json({"nonce": "x", **proof})

    with Server(respond) as server, AuthClient(server.url, trust_roots=[ROOT.certificate]) as client:

        def sign_in() -> None:
            with pytest.raises(SignInError):
                client.sign_in(CREDENTIALS)

        benchmark.pedantic(sign_in, rounds=5, warmup_rounds=1)
    board.targets.append(Target(name, benchmark.stats.stats.max * 1e3, MOST, " ms"))
