"""Makes text from strangers safe to show."""

MAX_QUOTE = 200
"""Characters of a stranger's text that a message quotes."""


def printable(text: str) -> str:
    """Escape every character that is invisible, could steer a terminal, or is not allowed in a document."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


def quoted(text: str) -> str:
    """Make the text fit for one line of a log: printable, and at most `MAX_QUOTE` characters."""
    shown = text[: MAX_QUOTE - 1] + "…" if len(text) > MAX_QUOTE else text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in shown).strip()
