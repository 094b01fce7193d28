"""``agentcp-fsm serve``, ``connect`` and ``identity`` together, each in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import ESCAPE, TIMEOUT, Running, refused, run
from tests.cli.conftest import ALICE, PASSWORD, Identity, Server

HOSTILE = f"{ESCAPE}[2J[red]mallory"
"""What would clear the screen, and be taken for markup."""


def connecting(server: Server, identity: Identity, *options: str) -> Running:
    return Running(
        "connect",
        ALICE,
        "--server",
        server.url,
        "--data",
        identity.data,
        "--password-file",
        identity.password_file,
        *options,
    )


def until_online(connect: Running) -> None:
    while connect.object("transition")["dest"] != "ONLINE":
        pass


def test_an_agent_comes_online_is_invited_and_leaves(server: Server, identity: Identity) -> None:
    with connecting(server, identity, "--json") as connect:
        first = connect.object("transition")
        assert (first["source"], first["dest"], first["trigger"]) == ("OFFLINE", "SIGNING_IN", "start")
        assert first["reason"]
        until_online(connect)
        assert server(f"invite {ALICE} bob.agentid.pub") == f"{ALICE} answered"
        assert connect.object("invitation")["inviter_agent_id"] == "bob.agentid.pub"
        status, output, errors = connect.end(signal.SIGINT)
    assert (status, errors) == (0, "")
    assert '"dest": "OFFLINE"' in output
    assert '"invitations": 1' in output.splitlines()[-1]
    assert "sign_outs 1" in server("status")


def test_the_server_is_found_through_the_access_point(server: Server, identity: Identity) -> None:
    options = ("--data", identity.data, "--password-file", identity.password_file, "--json")
    server("fault config_call status status 500 retry_after 0")
    with Running("connect", ALICE, "--access-point", server.url, *options) as connect:
        while (transition := connect.object("transition"))["dest"] != "BACKOFF":
            pass
        assert "failed step: call of get_accesspoint_config" in transition["detail"]
        assert "500" in transition["detail"]
        server("ok")
        until_online(connect)
        assert connect.end()[0] == 0
    assert "configs 1" in server("status")
    assert "is no access point" in refused(run("connect", ALICE, "--access-point", "127.0.0.1:1", *options))


@pytest.mark.parametrize("log_level", [None, "error"])
def test_a_failure_that_needs_a_person_is_shown_once(server: Server, identity: Identity, log_level: str | None) -> None:
    server("fault sign_in status status 403")
    options = () if log_level is None else ("--log-level", log_level)
    with connecting(server, identity, *options) as connect:
        assert "HTTP status 403" in connect.line_with("error")
        rejected = connect.line_with("SIGNING_IN → BACKOFF")
        assert re.search(r"retrying soon cannot mend that\. \(next try in \d+\.\d s\)$", rejected)
        status, output, errors = connect.end(signal.SIGINT)
    assert status == 0
    assert output.count("HTTP status 403") == 1
    assert errors.count("HTTP status 403") == (log_level is not None), "what is asked for is logged, shown or not"


def test_piped_lines_are_plain_and_strangers_cannot_steer_the_terminal(server: Server, identity: Identity) -> None:
    with connecting(server, identity, "--log-level", "debug") as connect:
        assert "OFFLINE → SIGNING_IN" in connect.line()
        connect.line_with("SIGNING_IN → ONLINE")
        server(f"invite {ALICE} '{HOSTILE}'")
        invited = connect.line_with("invited by")
        assert r"\x1b[2J[red]mallory" in invited
        status, output, errors = connect.end(signal.SIGTERM)
    assert status == 0
    assert "STOPPING → OFFLINE" in output
    assert ESCAPE not in output + errors
    assert PASSWORD not in output + errors
    assert "DEBUG" in errors


def test_a_401_is_shown_with_its_reason(server: Server, identity: Identity) -> None:
    with connecting(server, identity, "--json") as connect:
        until_online(connect)
        server("restart")
        lost = connect.object("transition")
        assert (lost["source"], lost["trigger"]) == ("ONLINE", "unauthorized")
        assert "forgot" in lost["reason"]
        until_online(connect)


def test_a_second_interrupt_does_not_wait_for_the_sign_out(server: Server, identity: Identity) -> None:
    with connecting(server, identity) as connect:
        connect.line_with("ONLINE")
        os.kill(server.command.process.pid, signal.SIGSTOP)  # the sign-out will hang
        try:
            connect.process.send_signal(signal.SIGINT)
            connect.line_with("again leaves at once")  # said before the sign-out, which is given up after 3 s
            status, output, _ = connect.end(signal.SIGINT)
        finally:
            os.kill(server.command.process.pid, signal.SIGCONT)
    assert status == 130
    assert "OFFLINE" not in output.partition("again leaves at once")[2]


def test_the_password_may_be_in_the_environment(
    server: Server, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEED", PASSWORD)
    with Running(
        "connect", ALICE, "--server", server.url, "--data", identity.data, "--password-env", "SEED", "--json"
    ) as connect:
        until_online(connect)


def test_passwords_that_cannot_be_read_or_are_wrong(identity: Identity, tmp_path: Path) -> None:
    arguments = ("connect", ALICE, "--server", "http://127.0.0.1:1", "--data", identity.data)
    assert "password" in refused(run(*arguments)), "nobody is there to ask"
    assert "SEED" in refused(run(*arguments, "--password-env", "SEED", SEED=""))
    assert "does not open" in refused(run(*arguments, "--password-env", "SEED", SEED="wrong"))
    for content, says in ((None, "password file"), (b"", "empty"), (b"\n", "empty"), (b"\xff\n", "UTF-8")):
        file = tmp_path / "password"
        if content is not None:
            file.write_bytes(content)
        if content is not None:
            file.chmod(0o600)
        assert says in refused(run(*arguments, "--password-file", file))
    both = ("--password-file", identity.password_file, "--password-env", "SEED")
    assert "give one" in refused(run(*arguments, *both, SEED=PASSWORD))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://198.51.100.1", "nonsense"])
def test_a_server_that_cannot_be_is_refused_before_anything_is_begun(identity: Identity, url: str) -> None:
    result = run("connect", ALICE, "--server", url, "--data", identity.data, "--password-file", identity.password_file)
    assert url in refused(result)


def test_an_identity_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    arguments = ("identity", "new", "bob.agentid.pub", "--data", tmp_path)
    made = run(*arguments)
    assert made.returncode == 0
    folder = tmp_path / "agentcp" / "AIDs" / "bob.agentid.pub" / "private" / "certs"
    assert str(folder) in made.stdout
    key = folder / "bob.agentid.pub.key"
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    assert str(key) in refused(run(*arguments))
    assert key.read_bytes() == before


def test_the_servers_console() -> None:
    with Running("serve", "--http-port", "0", "--udp-port", "0") as serve:
        assert "sign-ins at http://127.0.0.1:" in serve.line()
        serve.write("help")
        for name in ("status", "restart", "move", "invite"):
            serve.line_with(name)
        serve.write(f"fault {ESCAPE}[2J 1")
        assert "is no fault" in serve.line_with("is no")
        serve.write("fault drop 0.5")
        assert "drop=0.5" in serve.line()
        serve.write("")
        serve.write("ok")
        assert "no faults" in serve.line()
        status, output, errors = serve.end(signal.SIGTERM)
    assert (status, errors) == (0, "")
    assert ESCAPE not in output
    assert output.splitlines()[-1].endswith("closed")


def test_the_server_outlives_its_console(identity: Identity) -> None:
    with Running("serve", "--http-port", "0", "--udp-port", "0", "--json") as serve:
        url = serve.object("listening")["url"]
        assert serve.process.stdin is not None
        serve.process.stdin.close()
        serve.process.stdin = None
        with connecting(Server(serve, url), identity, "--json") as connect:
            until_online(connect)
            assert connect.end()[0] == 0
        assert serve.end(signal.SIGINT)[0] == 0


def test_a_port_that_is_taken_is_one_clear_line(server: Server) -> None:
    port = server.url.rpartition(":")[2]
    assert port in refused(run("serve", "--http-port", port, "--udp-port", "0"))


def test_the_password_is_asked_for_on_a_terminal(server: Server, identity: Identity) -> None:
    """The prompt does not echo; the first Ctrl-C of a terminal signs out."""
    script = (
        "import os, pty, sys\n"
        "child, terminal = pty.fork()\n"
        "if not child:\n    os.execv(sys.executable, [sys.executable, '-m', 'agentcp_fsm', *sys.argv[2:]])\n"
        "seen = ''\n"
        "def until(part):\n"
        "    global seen\n"
        "    while part not in seen:\n        seen += os.read(terminal, 65536).decode(errors='replace')\n"
        f"until('password of {ALICE}: ')\n"  # with its last character, the echo is off
        "os.write(terminal, sys.argv[1].encode() + b'\\n')\n"
        "until('ONLINE')\n"
        "os.write(terminal, b'\\x03')\n"
        "until('OFFLINE\\x1b[0m  Signed out')\n"
        "assert sys.argv[1] not in seen, seen\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    arguments = ("connect", ALICE, "--server", server.url, "--data", str(identity.data))
    result = subprocess.run(
        [sys.executable, "-c", script, PASSWORD, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "200"},
    )
    assert result.returncode == 0, result.stderr
