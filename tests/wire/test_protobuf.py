"""The schema, the code generated from it, and peculiarities of this codec."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import WireError
from agentcp_fsm.wire import HeartbeatResponse, agentcp_pb2
from tests.wire.regenerate import GENERATED, ROOT, generate
from tests.wire.strategies import PROTOBUF, unhurried

VERSION = re.compile(r"^# Protobuf Python Version: ([\d.]+)$|^    \d+,$", re.MULTILINE)
"""The lines of generated code that tell the version of the generator."""


def test_the_generated_code_is_that_of_the_schema(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools, of the extra 'test', is not installed")
    generate(tmp_path)
    for path in GENERATED:
        fresh, committed = ((root / path).read_text(encoding="utf-8") for root in (tmp_path, ROOT))
        assert VERSION.sub("", committed) == VERSION.sub("", fresh), "run: python -m tests.wire.regenerate"


def test_every_allowed_protobuf_loads_the_generated_code() -> None:
    generated = VERSION.search((ROOT / GENERATED[0]).read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = next(requirement for requirement in project["dependencies"] if requirement.startswith("protobuf"))
    assert generated is not None
    major = int(generated[1].split(".")[0])
    assert allowed == f"protobuf>={generated[1]},<{major + 2}", "protobuf keeps its word for the next major version"


@unhurried
@given(fields=st.permutations([b"\x08\x07", b"\x10\x05", b"\x22\x03\x08\x91\x03", b"\x78\x01"]))
def test_fields_come_in_any_order_and_unknown_ones_are_ignored(fields: list[bytes]) -> None:
    assert PROTOBUF.decode(b"".join(fields)) == HeartbeatResponse(7, 401, mask=5)


@pytest.mark.parametrize("data", [b"", b"\x08\x07", b"\x78\x01"])
def test_a_datagram_without_a_message_is_refused(data: bytes) -> None:
    with pytest.raises(WireError, match=r"none of the messages"):
        PROTOBUF.decode(data)


def test_text_that_is_not_utf8_is_refused() -> None:
    text = agentcp_pb2.Datagram(heartbeat_request=agentcp_pb2.HeartbeatRequest(agent_id="ab")).SerializeToString()
    with pytest.raises(WireError):
        PROTOBUF.decode(text.replace(b"ab", b"\xc3\x28"))
