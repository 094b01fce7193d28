"""Makes text from strangers fit to be quoted in a message."""

MAX_QUOTE = 200
"""Characters of a stranger's text that a message quotes."""


def quoted(text: str) -> str:
    """Make the text fit for one line of a log: printable, and at most `MAX_QUOTE` characters."""
    shown = text[: MAX_QUOTE - 1] + "…" if len(text) > MAX_QUOTE else text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in shown).strip()
