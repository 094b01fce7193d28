"""Any text, made safe to show on a terminal and in a document."""


def printable(text: str) -> str:
    """The text, with an escape for each character that is invisible, steers a terminal or fits in no document."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
