"""``agentcp-fsm doctor`` in a process of its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ESCAPE, refused, run
from tests.cli.conftest import ALICE, Identity, Server


def findings(output: str) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["kind"] for line in lines] == ["finding"] * (len(lines) - 1) + ["summary"]
    return {line.get("step", "summary"): line for line in lines}


def arguments(server: Server, identity: Identity, *options: str | Path) -> tuple[str | Path, ...]:
    return (
        *("doctor", ALICE, "--server", server.url, "--data", identity.data),
        *("--password-file", identity.password_file, *options),
    )


def test_all_is_well(server: Server, identity: Identity) -> None:
    found_by_access_point = (str(each).replace("--server", "--access-point") for each in arguments(server, identity))
    people, programs = run(*found_by_access_point), run(*arguments(server, identity, "--json"))
    assert (people.returncode, people.stderr) == (0, "")
    assert people.stdout.splitlines()[-1] == "all is well"
    assert all(line.startswith("ok ") for line in people.stdout.splitlines()[:-1])
    assert ESCAPE not in people.stdout
    assert (programs.returncode, programs.stderr) == (0, "")
    found = findings(programs.stdout)
    assert found["summary"]["well"] is True
    assert found["heartbeat"]["facts"]["round_trip"] > 0
    status = server("status")
    assert "sign_ins 2" in status
    assert "sign_outs 2" in status


def test_a_failure_is_said_with_its_remedy_and_in_the_exit_status(server: Server, identity: Identity) -> None:
    server("fault drop 1")
    result = run(*arguments(server, identity))
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.splitlines()[-1] == "not all is well: 1 failed"
    failed = next(line for line in result.stdout.splitlines() if line.startswith("failed "))
    assert "heartbeat" in failed
    assert "→ let UDP out" in failed


def test_trust_roots_ask_for_a_proof(server: Server, identity: Identity) -> None:
    certificate = identity.data / "agentcp" / "AIDs" / ALICE / "private" / "certs" / f"{ALICE}.crt"
    found = findings(run(*arguments(server, identity, "--json", "--trust-roots", certificate)).stdout)
    assert found["sign-in"]["outcome"] == "failed"
    assert "offers no proof of itself" in found["sign-in"]["says"]
    lenient = ("--trust-roots", certificate, "--insecure-accept-no-server-proof")
    assert run(*arguments(server, identity, *lenient)).returncode == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--access-point", "agentid.pub"), "exclude each other"),
        (("--codec", "morse"), "codec is 'morse'"),
        (("--trust-roots", "/nowhere/root.pem"), "the trust roots /nowhere/root.pem cannot be read"),
    ],
)
def test_a_wrong_use_is_one_line(identity: Identity, options: tuple[str, ...], says: str) -> None:
    use = ("doctor", ALICE, "--server", "http://127.0.0.1:1", "--data", identity.data)
    assert says in refused(run(*use, *options))
