"""A codec is chosen by its name, and costs nothing unless it is chosen."""

import subprocess
import sys

import pytest

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.wire import CODECS, AgentCPCodec, HeartbeatResponse, codec_named
from agentcp_fsm.wire.protobuf import ProtobufCodec
from tests.wire.regenerate import ROOT


def test_every_name_has_its_own_codec() -> None:
    assert {name: type(codec_named(name)) for name in CODECS} == {"agentcp": AgentCPCodec, "protobuf": ProtobufCodec}
    assert len({codec_named(name).encode(HeartbeatResponse(1, 5000)) for name in CODECS}) == len(CODECS)


@pytest.mark.parametrize("name", ["json", "", "AgentCP"])
def test_an_unknown_name_is_refused_with_those_that_exist(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^codec is '{name}'; use one of 'agentcp', 'protobuf'$"):
        codec_named(name)


def test_the_protobuf_library_is_loaded_only_by_its_codec() -> None:
    script = """
import sys
from agentcp_fsm.wire import codec_named
codec_named("agentcp")
assert "google.protobuf" not in sys.modules
codec_named("protobuf")
assert "google.protobuf" in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, cwd=ROOT, timeout=60)
