"""The commands of docs/sdk.md, "Try it", in their order: what they are said to do is what happens."""

import re
import shlex
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

import pytest

from tests.needs import needs_linux
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "sdk.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Try it\n")[2]
SETUP, START = (block.splitlines() for block in re.findall(r"^```sh\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL))
(PROGRAM,) = re.findall(r"^```py\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
(CONSOLE,) = (b.splitlines() for b in re.findall(r"^```console\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL))
ALICE, BOB = "alice.agentid.pub", "bob.agentid.pub"
PATIENCE = 90.0


class Terminal:
    """A program, what is typed into it, and what it has shown so far."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.process = subprocess.Popen(
            command, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.shown = ""
        self._threads = [
            threading.Thread(target=self._read, args=(pipe,), daemon=True)
            for pipe in (self.process.stdout, self.process.stderr)
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, pipe: IO[str] | None) -> None:
        assert pipe is not None
        for line in pipe:
            self.shown += line

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def until_shown(self, text: str, since: int = 0) -> None:
        try:
            until(lambda: text in self.shown[since:], PATIENCE)
        except AssertionError:
            raise AssertionError(f"{text!r} is not in {self.shown!r}") from None

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        return status

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


def installed(line: str, *more: str) -> list[str]:
    """A command of the page, by the interpreter and the command that are installed here."""
    program, *arguments = shlex.split(line)
    own = {"python": [sys.executable], "agentcp-fsm": [sys.executable, "-m", "agentcp_fsm"]}
    return [*own[program], *arguments, *more]


@pytest.mark.slow
def test_a_new_user_follows_the_page(tmp_path: Path, no_proxy_in_the_environment: None) -> None:
    needs_linux("the page is written for a POSIX shell")
    assert [line.split()[0] for line in SETUP[:3]] == ["python3", ".", "pip"]
    *identities, serve = SETUP[3:]
    for line in identities:
        subprocess.run(installed(line), cwd=tmp_path, check=True, capture_output=True, timeout=PATIENCE)
    (tmp_path / "agent.py").write_text(PROGRAM, encoding="utf-8")

    with ExitStack() as terminals:
        ports = ("--http-port", "0", "--udp-port", "0", "--until-input-ends")
        server = terminals.enter_context(Terminal(installed(serve, *ports), tmp_path))
        server.until_shown("sign-ins at ")
        url = re.findall(r"sign-ins at (http://[\d.:]+)", server.shown)[0]
        agents = [
            terminals.enter_context(Terminal(installed(line.replace("http://127.0.0.1:8765", url)), tmp_path))
            for line in START
        ]
        alice, bob = agents
        for agent in agents:
            agent.until_shown("agentid.pub ONLINE ")
        alice.type(BOB)
        alice.until_shown(f"'agent_id': '{BOB}', 'online': True")

        outage, over, restart, invite = CONSOLE
        seen = [len(agent.shown) for agent in agents]
        server.type(outage)
        for agent, before in zip(agents, seen, strict=True):
            agent.until_shown("agentid.pub RECONNECTING ", before)
        seen = [len(agent.shown) for agent in agents]
        server.type(over)
        for agent, before in zip(agents, seen, strict=True):
            agent.until_shown("agentid.pub ONLINE ", before)
        seen = [len(agent.shown) for agent in agents]
        server.type(restart)
        for agent, before in zip(agents, seen, strict=True):
            agent.until_shown("agentid.pub ONLINE ", before)
        server.type(invite)
        server.until_shown(f"{BOB} answered")
        asked = len(alice.shown)
        alice.type(BOB)
        alice.until_shown(f"'agent_id': '{BOB}', 'online': True", asked)
        for agent in agents:
            assert agent.end() == 0
            assert "OFFLINE Signed out." in agent.shown
        assert server.end() == 0
        assert bob.process.returncode == 0


@pytest.mark.parametrize("command", CONSOLE)
def test_the_consoles_commands_are_those_of_the_server(command: str) -> None:
    from agentcp_fsm.server.console import COMMANDS

    assert command.split()[0] in " ".join(COMMANDS)
