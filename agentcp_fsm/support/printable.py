"""Text that is safe to show, whoever wrote it."""


def printable(text: str) -> str:
    """The text with everything escaped that has no look, could steer a terminal, or no document may hold."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
