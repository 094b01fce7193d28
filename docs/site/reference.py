"""The reference: docstrings as they are written, and what the code knows beside them."""

import re
from dataclasses import MISSING, Field, fields

from sphinx.application import Sphinx

from agentcp_fsm.lifecycle.config import HIGHEST, LONGEST, SHORTEST, Config
from docs.site.translations import DOCS

LAW = ("lifecycle", "protocol")
"""The pages whose paragraphs "Settings: …" say what each setting serves."""


def served() -> dict[str, list[tuple[str, str]]]:
    """For each setting the page and the heading of what it serves."""
    found: dict[str, list[tuple[str, str]]] = {}
    for page in LAW:
        text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
        for part in re.split(r"^#{2,3} ", text, flags=re.MULTILINE)[1:]:
            for paragraph in re.findall(r"^Settings: (.+?)\n\n", part, re.MULTILINE | re.DOTALL):
                for name in re.findall(r"`(\w+)`", paragraph):
                    found.setdefault(name, []).append((page, part.partition("\n")[0]))
    return found


def bounds(setting: Field[object]) -> str:
    """The unit, the bounds and the default of a setting, in a sentence each."""
    match setting.metadata["unit"]:
        case "seconds":
            zero = "0, or " if setting.metadata["zero"] else ""
            accepted = f"Seconds: {zero}{SHORTEST} to {LONGEST:,.0f}."
        case "share":
            accepted = "A share: 0 to 1."
        case _:
            accepted = f"A count: 1 to {HIGHEST:,}{', or None' if setting.metadata['optional'] else ''}."
    assert setting.default is not MISSING
    return f"{accepted} By default {setting.default}."


def about(name: str) -> list[str]:
    """What the reference adds to the docstring of a setting."""
    setting = {each.name: each for each in fields(Config)}[name]
    links = ", ".join(_link(page, heading) for page, heading in served()[name])
    return [bounds(setting), "", f"Serves {links}.", ""]


def _link(page: str, heading: str) -> str:
    """From a page of the reference to a heading; the site's test follows it."""
    place = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    return f"`{page}, {heading} <../{page}.html#{place}>`__"


def _complete(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    owner, _, setting = name.rpartition(".")
    if what == "attribute" and owner == "agentcp_fsm.Config":
        lines.extend(["", *about(setting)])


def _shorten(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    has_a_page = name == "agentcp_fsm.Config" or name.startswith("agentcp_fsm.operations.options.")
    return ("(*, …)" if has_a_page else signature), returned


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx use what is above."""
    app.connect("autodoc-process-docstring", _complete)
    app.connect("autodoc-process-signature", _shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
