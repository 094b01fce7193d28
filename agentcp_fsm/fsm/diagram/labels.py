"""What a label says: on which triggers, and if which guards hold, one state follows another.

A label is made of clauses with semicolons between them: ``open, push [fits] or [forced, not locked]`` says that each of
the triggers before the guards leads there if one of the bracketed lists holds as a whole.  ``[else]`` stands for a row
without guards that shares its event with others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agentcp_fsm.fsm.chart import Chart, Row

ELSE = ("else",)
"""The guards, as they are shown, of a row that has none and is tried after others."""


@dataclass(frozen=True, slots=True)
class Clause:
    """Triggers that lead the same way under the same guards."""

    triggers: tuple[str, ...]
    alternatives: tuple[tuple[str, ...], ...]
    """Lists of guards, one of which must hold as a whole; none if the triggers always lead there."""


def shown_guards(row: Row, cell: Iterable[Row]) -> tuple[str, ...]:
    """The guards of a row as they are shown; `cell` has all rows of the same source and trigger."""
    if row.guards:
        return row.guards
    return ELSE if any(other is not row and not other.ignored for other in cell) else ()


def clauses_of_rows(chart: Chart, source: str) -> dict[str | None, list[Clause]]:
    """By the state that follows `source`, a clause for each row; those that stay are under None, unless ignored."""
    found: dict[str | None, dict[Clause, None]] = {}
    for trigger in chart.triggers:
        cell = chart.cell(source, trigger)
        for row in cell:
            if row.dest is not None or not row.ignored:
                dest = row.leads_to(source)
                guards = shown_guards(row, cell)
                clause = Clause((str(trigger),), (guards,) if guards else ())
                found.setdefault(None if dest is None else str(dest), {})[clause] = None
    return {dest: list(clauses) for dest, clauses in found.items()}


def by_guards(clauses: Iterable[Clause]) -> list[Clause]:
    """The same in fewer clauses: triggers with the same guards share one."""
    triggers: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for clause in clauses:
        triggers.setdefault(clause.alternatives, []).extend(clause.triggers)
    return [Clause(tuple(dict.fromkeys(names)), guards) for guards, names in triggers.items()]


def by_trigger(clauses: Iterable[Clause]) -> list[Clause]:
    """The same in fewer clauses: each trigger is named once, with those that have all the same alternatives."""
    alternatives: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for clause in clauses:
        alternatives.setdefault(clause.triggers, []).extend(clause.alternatives)
    return by_guards(Clause(triggers, tuple(dict.fromkeys(guards))) for triggers, guards in alternatives.items())


def label(clauses: Sequence[Clause], length: int, opening: str = "") -> tuple[str, ...]:
    """Clauses in lines, each clause from the beginning of a line; a line breaks between names, never inside one.

    `opening` stands before the first clause.
    """
    lines: list[str] = []
    for clause in clauses:
        lines += wrapped([*([opening] if opening and not lines else []), *_pieces(clause)], length)
        if clause is not clauses[-1]:
            lines[-1] += ";"
    return tuple(lines)


def _pieces(clause: Clause) -> Iterator[str]:
    """The parts of a clause that stay in one line each."""
    yield from commas(clause.triggers)
    for number, guards in enumerate(clause.alternatives):
        first, *others = commas(guards)
        pieces = [f"or [{first}" if number else f"[{first}", *others]
        pieces[-1] += "]"
        yield from pieces


def commas(names: Sequence[str]) -> list[str]:
    """The names, each but the last with a comma."""
    return [*(f"{name}," for name in names[:-1]), *names[-1:]]


def wrapped(words: Iterable[str], length: int) -> list[str]:
    """Words in lines of at most so many characters; a longer word has a line of its own."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) < length:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
