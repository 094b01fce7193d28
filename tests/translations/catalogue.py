"""The catalogues and what belongs in them.  ``python -m tests.translations.catalogue`` brings them up to date.

It keeps every translation whose message is still there, marks as fuzzy what it guesses for a changed one, and compiles
what is complete.  A translator then edits the ``.po`` file, with any editor for gettext's files, and runs it again.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import typer.main
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from agentcp_fsm.cli.app import app
from agentcp_fsm.cli.language import shown_by_main_help
from agentcp_fsm.doctor import STEPS, Outcome
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.support.messages import DOMAIN, FOLDER, LANGUAGES

PACKAGE = FOLDER.parents[1]
KEYWORDS = {"_": None, "translated": None, "marked": None}
HEADER = """\
# What AgentCP FSM shows to people.  Keep the placeholders in braces, and the names of states, commands and options.
"""
SOME_DATE = datetime(2026, 1, 1, tzinfo=UTC)
"""In every catalogue, as the real one would change with each run."""
CHANGING = (b'"POT-Creation-Date', b'"PO-Revision-Date', b'"Generated-By')
CATALOGUES = {name: FOLDER / name / "LC_MESSAGES" / f"{DOMAIN}.po" for name in LANGUAGES.values() if name}


def messages() -> Iterator[tuple[str, str]]:
    """Yield all that is translated, each with the place that it comes from."""
    for part in ("cli", "doctor", "support"):
        for file, _, text, _, _ in extract_from_dir(PACKAGE / part, [("**.py", "python")], keywords=KEYWORDS):
            assert isinstance(text, str)
            yield text, f"agentcp_fsm/{part}/{file}"
    for shown in shown_by_main_help(typer.main.get_command(app)):
        if shown.help:
            yield inspect.cleandoc(shown.help), "agentcp-fsm --help"
    for name in (*STEPS, *Outcome):
        yield str(name), "agentcp-fsm doctor"
    for row in CHART.rows:
        if not row.ignored:
            yield row.reason, "agentcp_fsm/lifecycle/chart.py"


def template() -> Catalog:
    """The catalogue of all messages, untranslated."""
    catalogue = Catalog(project="agentcp-fsm", header_comment=HEADER.rstrip())
    for text, place in messages():
        catalogue.add(text, locations=[(place, 0)])
    return catalogue


def read(file: Path, locale: str) -> Catalog:
    """A catalogue as it is in its file."""
    with file.open("rb") as opened:
        return read_po(opened, locale=locale, domain=DOMAIN)


def written(catalogue: Catalog) -> bytes:
    """The text of a ``.po`` file; without dates and lines, which would change with everything else."""
    out = BytesIO()
    write_po(
        out, catalogue, width=120, omit_header=False, include_lineno=False, sort_by_file=False, ignore_obsolete=True
    )
    lines = out.getvalue().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith((b'"POT-Creation-Date', b'"PO-Revision-Date')))


def main() -> None:
    """Bring the catalogues up to date."""
    for locale, file in CATALOGUES.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        catalogue = read(file, locale) if file.exists() else Catalog(locale, domain=DOMAIN, fuzzy=False)
        catalogue.project, catalogue.version = "agentcp-fsm", "0.1"
        catalogue.update(template())
        catalogue.header_comment = HEADER.rstrip()
        file.write_bytes(written(catalogue))
        catalogue = read(file, locale)
        catalogue.creation_date = catalogue.revision_date = SOME_DATE
        with file.with_suffix(".mo").open("wb") as compiled:
            write_mo(compiled, catalogue)
        missing = [message.id for message in catalogue if message.id and (not message.string or message.fuzzy)]
        print(f"{file}: {len(catalogue)} messages, {len(missing)} of them to translate")


if __name__ == "__main__":
    main()
