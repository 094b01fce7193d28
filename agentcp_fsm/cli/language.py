"""The command in the user's language."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import typer

from agentcp_fsm.support import messages


class Language(StrEnum):
    """What ``--lang`` takes: the names in `messages.LANGUAGES`."""

    EN = "en"
    ZH = "zh"


def command_in_language(app: typer.Typer, arguments: Sequence[str]) -> Any:
    """Return the command in the language of ``--lang``, or else of the locale.

    It must be known before anything is parsed, for that may already show the help.
    """
    messages.use(_asked_for(arguments) or messages.preferred())
    command: Any = typer.main.get_command(app)
    for shown in shown_by_main_help(command):
        if shown.help:
            shown.help = messages.translated(inspect.cleandoc(shown.help))
    return command


def shown_by_main_help(command: Any) -> Iterator[Any]:
    """Yield what the main help shows and has a ``help``: the command, its own options, and its commands."""
    yield command
    yield from command.params
    yield from command.commands.values()


def _asked_for(arguments: Sequence[str]) -> str:
    """The language that is named before the command; empty if none is, or none that there is."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            break
        name, _, value = word.partition("=")
        if name == "--lang":
            asked = value or next(words, "")
            return asked if asked in messages.LANGUAGES else ""
    return ""
