"""What is fuzzed: each harness takes any bytes, and raises for a fault and for nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from cryptography import x509

from agentcp_fsm.errors import SignInError, TraceError, WireError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import BeatAnswered, DeadlinePassed, Invited, SignedIn, SocketOpened, Start, Stop
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.sign_in.answers import Fields, check_status
from agentcp_fsm.sign_in.call import Call, Timeouts
from agentcp_fsm.sign_in.http import Answer
from agentcp_fsm.sign_in.trust.certificates import UNREADABLE
from agentcp_fsm.sign_in.trust.chain import ChainVerifier
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from agentcp_fsm.sign_in.trust.proof import ServerProof, verify_server_proof
from agentcp_fsm.traces import read_trace, record, replay, write_trace
from agentcp_fsm.wire import (
    CODECS,
    Codec,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
)
from tests.sign_in.certificates import make_identity
from tests.sign_in.test_mutated_certificates import signed

AGENT, REQUEST = "alice.agentid.pub", "0123456789abcdef0123456789abcdef"
INVITATION = Invitation("bob.agentid.pub", "CODE123", 1_893_456_000, "session-1", "wss://msg.agentid.pub")
LONGEST_FAILURE = 2_000
"""Characters of a text that a failure may have, however long the answer was."""


@dataclass(frozen=True, slots=True)
class Harness:
    """One of the things that are fuzzed."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    """What it begins with, if nothing was learnt yet."""
    longest: int
    """Bytes."""


# Datagrams ------------------------------------------------------------------------------------------------------------


def decode(codec: Codec, data: bytes) -> None:
    """A message or the one error; the hot path agrees; and a message that came can be sent on."""
    try:
        message = codec.decode(data)
    except WireError:
        message = None
    try:
        answer = codec.decode_heartbeat_response(memoryview(data))
    except WireError:
        assert message is None
    else:
        right = (message.sequence, message.next_beat) if isinstance(message, HeartbeatResponse) else None
        assert answer == right
    if message is not None:
        assert codec.decode(codec.encode(message)) == message


def datagrams(codec: Codec) -> Iterable[bytes]:
    for message in (
        HeartbeatRequest(1, AGENT, 42),
        HeartbeatResponse(1, 5000),
        InviteRequest(9, INVITATION),
        InviteResponse(3, AGENT, "bob.agentid.pub", "session-1", 42),
    ):
        yield codec.encode(message)


# Answers of a sign-in -------------------------------------------------------------------------------------------------

STATUSES = (200, 200, 200, 302, 401, 429, 503, 0)
NEAR = ("", "loopback", "private", "link-local")


def answer(data: bytes) -> None:
    """Checked values or a `SignInError`, whose text is bounded and printable."""
    first, _, rest = data.partition(b"\n")
    header, _, body = rest.partition(b"\n")
    number = first[0] if first else 0
    said = header.decode("latin-1")
    its = Answer(
        "http://127.0.0.1/sign_in",
        STATUSES[number % 8],
        {"Retry-After": said, "Date": said, "Location": said, "Content-Type": said},
        body,
        NEAR[number // 8 % 4],
        "1" if number & 0x80 else "",
    )
    with judged():
        check_status(its)
    with judged():
        fields = Fields.of(its)
        for read in (fields.session, fields.nonce, partial(fields.items, "list"), partial(fields.mapping, "mapping")):
            with judged():
                read()
        with judged():
            ServerProof.offered(fields.content)


def check_shown(text: str) -> None:
    assert len(text) <= LONGEST_FAILURE, f"a failure of {len(text)} characters"
    assert text.isprintable(), f"a failure that is not printable: {text!a}"


class judged(suppress):  # noqa: N801 - it is used as `suppress` is
    """Suppresses a `SignInError` that people can be shown."""

    def __init__(self) -> None:
        super().__init__(SignInError)

    def __exit__(self, kind: object, error: object, traceback: object) -> bool:
        if isinstance(error, SignInError):
            check_shown(str(error))
            assert error.retry_after is None or 0 <= error.retry_after <= 86_400
            return True
        return False


def answers() -> Iterable[bytes]:
    session = {"server_ip": "127.0.0.1", "port": 5000, "sign_cookie": 2**63, "signature": "token"}
    yield b"\x08\n120\n" + json.dumps(session).encode()
    yield (
        b"\0\n\n"
        + json.dumps({"nonce": "0" * 32, "cert": "PEM", "signature": "00", "list": [], "mapping": {}}).encode()
    )
    yield b"\x05\nWed, 21 Oct 2015 07:28:00 GMT\n" + json.dumps({"error": {"code": 7, "message": "later"}}).encode()
    yield b"\x03\nhttp://127.0.0.1/\n<html>"


# Certificates ---------------------------------------------------------------------------------------------------------


class Unreachable(IssuerFetcher):
    """Fetches nothing: no byte of a fuzzer leaves this process."""

    def fetch(self, url: str, call: Call) -> list[x509.Certificate]:
        return []


ROOT = make_identity("root", authority=True, names=None)
MIDDLE = make_identity("middle", ROOT, authority=True, names=None)
SERVER = make_identity("kite.example", MIDDLE, issuer_urls=["ftp://issuer.example/"])
VERIFIERS = [ChainVerifier([ROOT.certificate], name, Unreachable(verify=True)) for name in (None, "kite.example")]


def proof(data: bytes) -> None:
    """It holds or fails; the text before the first NUL is the signature, that behind it the certificates."""
    signature, _, pem = data.partition(b"\0")
    content = {"cert": pem.decode("latin-1"), "signature": signature.decode("latin-1")}
    with judged():
        offered = ServerProof.offered(content)
        if offered is not None:
            verify_server_proof(offered, AGENT, REQUEST)


def proofs() -> Iterable[bytes]:
    for identity in (SERVER, ROOT):
        signature = identity.sign_hex(AGENT + REQUEST)
        yield signature.encode() + b"\0" + identity.certificate_pem.encode()
        yield signature.encode() + b"\0" + (identity.certificate_pem + MIDDLE.certificate_pem).encode()


def chain(data: bytes) -> None:
    """A chain holds or fails; the bytes are what a certificate says, and its signature is good."""
    if not data:
        return
    below = data[0] & 1
    try:
        changed = x509.load_der_x509_certificate(signed(data[1:], (ROOT, MIDDLE)[below]))
    except UNREADABLE:
        return  # it does not get as far as to the chain
    sent = [changed, MIDDLE.certificate] if below else [SERVER.certificate, changed]
    for verifier in VERIFIERS:
        with judged():
            verifier.verify(sent, Call.begin(Timeouts()))


def certificates() -> Iterable[bytes]:
    yield b"\0" + MIDDLE.certificate.tbs_certificate_bytes
    yield b"\1" + SERVER.certificate.tbs_certificate_bytes


# Traces ---------------------------------------------------------------------------------------------------------------

FOLDER = TemporaryDirectory(prefix="fuzzed-")
FILE = Path(FOLDER.name) / "trace"


def trace(data: bytes) -> None:
    """A trace or a `TraceError`; a trace can be replayed, and written again."""
    FILE.write_bytes(data)
    try:
        read = read_trace(FILE)
    except TraceError as error:
        check_shown(str(error))
        return
    replay(read)
    write_trace(FILE, read)
    assert len(read_trace(FILE).steps) == len(read.steps)


def traces() -> Iterable[bytes]:
    recorder = record(Lifecycle(Config(), Random(1)), AGENT, bounded=False, seed=1)
    session = Session("192.0.2.1", 5000, 41, "token")
    events = (Start(), SignedIn(1, session), SocketOpened(1), BeatAnswered(1, 5000), Invited(1, INVITATION))
    for number, event in enumerate((*events, DeadlinePassed(), Stop())):
        recorder.handle(event, 5.0 * number)
        write_trace(FILE, recorder.trace(wall=1e9))
        yield FILE.read_bytes()


def planted(data: bytes) -> None:
    """Has a fault: shows that the fuzzing finds one."""
    if data.startswith(b"F"):
        raise ValueError("it begins with a capital F")


HARNESSES: Mapping[str, Harness] = {
    **{
        f"codec-{name}": Harness(partial(decode, make()), partial(datagrams, make()), 1600)
        for name, make in CODECS.items()
    },
    "answers": Harness(answer, answers, 4096),
    "proof": Harness(proof, proofs, 4096),
    "chain": Harness(chain, certificates, 2048),
    "traces": Harness(trace, traces, 8192),
}
PLANTED = Harness(planted, lambda: [b"begin"], 16)
