"""Any text, made safe to show on a terminal and in a document."""


def printable(text: str) -> str:
    """The text, with an escape for each character that is invisible, steers a terminal or fits in no document."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


def printable_lines(text: str) -> list[str]:
    """The text's lines, printable.  Only a newline ends a line, and in a text of nothing else it is shown escaped."""
    text = text.replace("\r\n", "\n")
    return [printable(line) for line in (text.split("\n") if text.strip("\n") else [text])]
