"""The time that a datagram takes; the budget of a whole heartbeat and its answer is 10 µs."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.wire import CODECS, Codec, HeartbeatRequest, HeartbeatResponse, InviteRequest, Message, codec_named

SEQUENCE = 300
COOKIE = 1234567890123456
MESSAGES = [
    HeartbeatRequest(SEQUENCE, "alice.agentid.pub", COOKIE),
    HeartbeatResponse(SEQUENCE, 30_000),
    InviteRequest(SEQUENCE, Invitation("bob.agentid.pub", "CODE123", 1893456000, "session-1", "wss://msg.agentid.pub")),
]


pytestmark = pytest.mark.parametrize("codec", [pytest.param(codec_named(name), id=name) for name in CODECS])
every_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)


@pytest.mark.benchmark(group="the client's hot path")
def test_encode_a_prepared_heartbeat(benchmark: BenchmarkFixture, codec: Codec) -> None:
    encode = codec.heartbeat_encoder("alice.agentid.pub", COOKIE)
    assert codec.decode(benchmark(encode, SEQUENCE)) == MESSAGES[0]


@pytest.mark.benchmark(group="the client's hot path")
@pytest.mark.parametrize("buffer", [bytes, memoryview])
def test_decode_heartbeat_response(
    benchmark: BenchmarkFixture, codec: Codec, buffer: type[bytes] | type[memoryview]
) -> None:
    datagram = buffer(codec.encode(HeartbeatResponse(SEQUENCE, 30_000)))
    assert benchmark(codec.decode_heartbeat_response, datagram) == (SEQUENCE, 30_000)


@pytest.mark.benchmark(group="encode")
@every_message
def test_encode(benchmark: BenchmarkFixture, codec: Codec, message: Message) -> None:
    assert codec.decode(benchmark(codec.encode, message)) == message


@pytest.mark.benchmark(group="decode")
@every_message
@pytest.mark.parametrize("buffer", [bytes, memoryview])
def test_decode(
    benchmark: BenchmarkFixture, codec: Codec, message: Message, buffer: type[bytes] | type[memoryview]
) -> None:
    assert benchmark(codec.decode, buffer(codec.encode(message))) == message
