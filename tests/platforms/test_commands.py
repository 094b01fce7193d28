"""The commands where loops handle no signals and there is no hang-up: they end by Ctrl-C all the same."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentcp_fsm.sign_in.credentials import seed_hash
from agentcp_fsm.sign_in.identities import identities_folder, make_identity
from tests.needs import needs_linux
from tests.platforms.programs import ALL, PATIENCE, ROOT, without
from tests.server_process import ServerProcess

needs_linux("what other systems lack is taken away from this one")

ALICE = "alice.agentid.pub"
COMMAND = "from agentcp_fsm.cli import main\nmain()"


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        without(ALL, COMMAND, *arguments), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    line: dict[str, object] = json.loads(process.stdout.readline())
    return line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_takes_commands_and_ends_by_a_signal(number: signal.Signals) -> None:
    with command("serve", "--json", "--http-port", "0", "--udp-port", "0") as process:
        assert next_line(process)["kind"] == "listening"
        assert process.stdin is not None
        process.stdin.write("restart\n")
        process.stdin.flush()
        assert next_line(process)["answer"] == "every session is forgotten"
        process.send_signal(number)
        assert next_line(process)["kind"] == "leaving"
        assert process.wait(PATIENCE) == 0


def test_connect_signs_out_by_ctrl_c(tmp_path: Path) -> None:
    make_identity(identities_folder(tmp_path), ALICE, seed_hash(None))
    with (
        ServerProcess() as server,
        command("connect", ALICE, "--data", str(tmp_path), "--server", server.url, "--json") as process,
    ):
        while next_line(process).get("dest") != "ONLINE":
            pass
        process.send_signal(signal.SIGINT)
        while (line := next_line(process))["kind"] != "summary":
            pass
        assert line["sign_ins"] == 1
        assert process.wait(PATIENCE) == 0
        assert server.count("sign_outs") == 1
