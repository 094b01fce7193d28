"""What becomes of each code block of a page: Sybil finds the blocks, and a function for each language carries them out.

A comment in the line above a block says more than its language does; readers do not see it:

| comment | the block |
| --- | --- |
| `<!-- file: NAME -->` | is saved under that name |
| `<!-- run -->` | is run, line by line; each must succeed |
| `<!-- fails: TEXT -->` | is run until it fails and shows the text |
| `<!-- eventually -->` | is run until it succeeds |
| `<!-- replace: NAME -->` | is a difference of one line, which is made in that file |
| `<!-- terminal: NAME -->` | is started, and goes on; a Python block is saved under that name first |
| `<!-- type: NAME -->` | is typed into that terminal, line by line |
| `<!-- shows: NAME -->` | is what the terminal shows next; `…` stands for anything |

Without a comment, Python is run in this process, one block of a page after the other; commands of a shell are read:
the shell and the command itself accept them, and the files, modules and extras that they name exist; other texts are
parsed.
"""

import json
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from configparser import ConfigParser
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import dropwhile, groupby
from pathlib import Path

import typer
import yaml
from sybil import Document, Example, Region
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

from agentcp_fsm.cli.app import app
from agentcp_fsm.server.console import COMMANDS
from tests.docs.terminals import PATIENCE, Terminal

ROOT = Path(__file__).parents[2]
SERVER = "http://127.0.0.1:8765"
"""Where the pages' server is; here it takes free ports."""
STATUS = "127.0.0.1:8764"
"""Where the pages' status place is; here it takes a free port, which the line of its program's output has."""
FREE_PORTS = ("--http-port", "0", "--udp-port", "0", "--until-input-ends")
INSTALLS = ("python3 -m venv ", ". .venv/bin/activate", "pip install ")
"""Beginnings of lines that make the environment, which is there already."""
_COMMENT = re.compile(r"<!-- (\w+)(?:: (.+?))? -->\n\Z")
_run_python = PythonEvaluator()


@dataclass
class Reader:
    """A reader who does what a page says, in a folder of her own."""

    folder: Path
    stack: ExitStack
    terminals: dict[str, Terminal] = field(default_factory=dict)
    server: str = SERVER
    status: str = "127.0.0.1:0"

    def carry_out(self, comment: str, argument: str, block: str) -> None:
        """Do with a block what the comment above it says."""
        block = block.replace(SERVER, self.server)
        if comment != "shows":
            block = block.replace(STATUS, self.status)
        match comment:
            case "file":
                (self.folder / argument).write_text(block, encoding="utf-8")
            case "run":
                for line in block.splitlines():
                    if not line.startswith(INSTALLS):
                        ended = self._ended(line)
                        assert ended.returncode == 0, f"{line}: {ended.stdout}{ended.stderr}"
            case "fails":
                self._until(block, lambda ended: ended.returncode != 0 and argument in ended.stdout + ended.stderr)
            case "eventually":
                self._until(block, lambda ended: ended.returncode == 0)
            case "replace":
                file = self.folder / argument
                old, new = (line[1:] for line in block.splitlines(keepends=True))
                text = file.read_text(encoding="utf-8")
                assert text.count(old) == 1
                file.write_text(text.replace(old, new), encoding="utf-8")
            case "terminal":
                self._start(argument, block)
            case "type":
                for line in block.splitlines():
                    self.terminals[argument].enter(line)
            case "shows":
                for line in block.splitlines():
                    shown = self.terminals[argument].until_shown(line.replace(STATUS, "127.0.0.1:…"))[0]
                    if STATUS in line:
                        self.status = shown.rpartition(" ")[2]
            case _:
                raise AssertionError(f"there is no comment {comment!r}")

    def _start(self, name: str, block: str) -> None:
        command = block
        if name.endswith(".py"):
            (self.folder / name).write_text(block, encoding="utf-8")
            command, name = f"python {name}", name.removesuffix(".py")
        *before, last = command.strip().splitlines()
        self.carry_out("run", "", "\n".join(before))
        words = installed(last)
        is_server = words[-1] == "serve"
        started = Terminal([*words, *FREE_PORTS] if is_server else words, self.folder)
        self.terminals[name] = self.stack.enter_context(started)
        if is_server:
            self.server = started.until_shown("sign-ins at …,")[0].removeprefix("sign-ins at ").rstrip(",")

    def _until(self, line: str, holds: Callable[[subprocess.CompletedProcess[str]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds(ended := self._ended(line)):
            assert time.monotonic() < deadline, f"{line}: {ended.stdout}{ended.stderr}"

    def _ended(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            installed(line),
            cwd=self.folder,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )


def installed(line: str) -> list[str]:
    """A command, by the interpreter and the programs that are installed here."""
    program, *arguments = shlex.split(line, comments=True)
    modules = {"agentcp-fsm": ["-m", "agentcp_fsm"], "pytest": ["-m", "pytest", "-p", "no:cacheprovider"], "python": []}
    return [sys.executable, *modules[program], *arguments]


def commands_of(block: str) -> Iterator[list[str]]:
    """The words of each command of a block for a shell, without what joins them."""
    waiting = ""
    for line in block.splitlines():
        waiting += line.removesuffix("\\") + ("" if line.endswith("\\") else "\n")
        words = shlex.shlex(waiting, posix=True, punctuation_chars="();|&")
        words.whitespace_split = True
        try:
            listed = [] if line.endswith("\\") else list(words)
        except ValueError:  # a quotation goes on
            continue
        if not line.endswith("\\"):
            waiting = ""
        for joins, command in groupby(listed, key=lambda word: set(word) <= set("();|&")):
            if not joins:
                yield list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), command))


def check_shell(block: str) -> None:
    """A block that is too long to run, or not ours to run: a shell can read it, and what it names exists."""
    subprocess.run(["bash", "-n"], input=block, text=True, check=True, timeout=PATIENCE)
    for command in commands_of(block):
        check_command(command)


def check_command(words: list[str]) -> None:
    """What a command names exists: its own options, modules, files of tests, extras."""
    program = Path(words[0]).name if words else ""
    if program == "agentcp-fsm":
        check_arguments(words[1:])
    elif program == "pytest":
        for path in (word for word in words[1:] if word.startswith("tests")):
            assert (ROOT / path.partition("::")[0]).exists(), path
    elif program in ("python", "python3") and words[1:2] == ["-m"]:
        assert find_spec(words[2]), words[2]
    elif program == "pip":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for named in re.findall(r"(?:agentcp-fsm|\.)\[([\w,]+)\]", " ".join(words)):
            assert set(named.split(",")) <= set(project["optional-dependencies"]), named


def check_arguments(words: list[str]) -> None:
    """The command knows these arguments."""
    command = typer.main.get_command(app)
    if words[:1] == ["--lang"]:
        words = words[2:]
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    if not {"--help", "-h", "--version"} & set(words):
        command.make_context("agentcp-fsm", words)
        assert getattr(command, "invoke_without_command", True), words


def check_console(block: str) -> None:
    """Each line is a command of the reference server's, or of a shell behind a prompt."""
    known = {usage.split()[0] for usage in COMMANDS}
    for line in block.splitlines():
        if line.startswith("$ "):
            check_shell(line.removeprefix("$ "))
        else:
            assert not line or line.split()[0] in known, line


def check_ini(block: str) -> None:
    """The unit of systemd, or another file of that form, can be read."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.read_string(block)
    assert parser.sections()


def check_yaml(block: str) -> None:
    """Each document in it can be read."""
    assert list(yaml.safe_load_all(block))


CHECKS: dict[str, Callable[[str], object]] = {
    "console": check_console,
    "ini": check_ini,
    "json": json.loads,
    "py": lambda block: compile(block, "a block", "exec"),
    "sh": check_shell,
    "toml": tomllib.loads,
    "yaml": check_yaml,
}
"""For blocks without a comment."""
ELSEWHERE = {
    "diff": "a difference, without a comment: of no file of a page's",
    "dockerfile": "images are built where there is a daemon",
    "mermaid": "`agentcp-fsm diagram --check` holds it to the chart",
    "text": "what is shown, without a comment: no program's",
    "{eval-rst}": "the site's build carries it out",
}
"""Blocks that nothing here carries out, and why."""


def evaluate(example: Example) -> None:
    """Carry out a block."""
    block, language = str(example.parsed), str(example.region.lexemes["language"])
    comment = _COMMENT.search(example.document.text[: example.start])
    if comment and comment[1] != "command":  # which `.ci/run` runs
        example.namespace["reader"].carry_out(comment[1], comment[2] or "", block)
    elif language == "python":
        _run_python(example)
    elif language not in ELSEWHERE:
        CHECKS[language](block)


def parse(document: Document) -> Iterable[Region]:
    """Find the blocks of a page."""
    for region in FencedCodeBlockLexer(r".+")(document):
        region.parsed = region.lexemes["source"]
        region.evaluator = evaluate
        yield region
