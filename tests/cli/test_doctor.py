"""``agentcp-fsm doctor`` in a process of its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ESCAPE, Running, refused, run
from tests.cli.conftest import ALICE, Identity, Server
from tests.needs import needs_posix


def findings(output: str) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["kind"] for line in lines] == ["finding"] * (len(lines) - 1) + ["summary"]
    return {line.get("step", "summary"): line for line in lines}


def arguments(server: Server, identity: Identity, *options: str | Path) -> tuple[str | Path, ...]:
    return (
        *("doctor", ALICE, "--server", server.url, "--data", identity.data),
        *("--password-file", identity.password_file, "--sign-in", *options),
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


def without_permission(server: Server, identity: Identity, *options: str | Path) -> tuple[str | Path, ...]:
    return tuple(each for each in arguments(server, identity, "--json", *options) if each != "--sign-in")


@pytest.mark.parametrize("options", [(), ("--no-sign-in",)])
def test_no_session_is_ended_unasked(
    server: Server, identity: Identity, options: tuple[str, ...], tmp_path: Path
) -> None:
    """It signed in, and so ended the session of the agent that ran."""
    examined = run(*without_permission(server, identity, "--status", tmp_path / "nobody", *options))
    found = findings(examined.stdout)
    assert examined.returncode == 1
    assert {found[step]["outcome"] for step in ("sign-in", "heartbeat", "sign-out")} == {"skipped"}
    assert "allow it by --sign-in" in found["sign-in"]["says"]
    assert {found[step]["outcome"] for step in ("key", "certificate", "connection")} == {"ok"}
    assert "counted: nothing" in server("status")


def test_an_agent_that_runs_is_seen_and_left_alone(server: Server, identity: Identity, tmp_path: Path) -> None:
    needs_posix("Unix sockets")
    place = tmp_path / "status"
    options = ("--server", server.url, "--data", identity.data, "--password-file", identity.password_file)
    with Running("connect", ALICE, *options, "--status", place, "--json") as connect:
        while connect.object("transition")["dest"] != "ONLINE":
            pass
        found = findings(run(*without_permission(server, identity, "--status", place)).stdout)
        for step, says in (("sign-in", "state ONLINE"), ("heartbeat", "last answer"), ("sign-out", "stays signed in")):
            assert (found[step]["outcome"], says in found[step]["says"]) == ("ok", True)
        assert "sign_ins 1" in server("status")
        server("fault sign_in status status 403")
        server("restart")
        while connect.object("transition")["dest"] != "BACKOFF":
            pass
        lost = findings(run(*without_permission(server, identity, "--status", place)).stdout)
        assert (lost["sign-in"]["outcome"], lost["heartbeat"]["outcome"]) == ("warning", "skipped")
        assert f"agentcp-fsm check unix:{place}" in lost["sign-in"]["remedy"]
        connect.end()
    assert (
        findings(run(*without_permission(server, identity, "--status", place)).stdout)["sign-in"]["outcome"]
        == "skipped"
    )
