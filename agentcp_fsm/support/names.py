"""How names of hosts and agents are compared."""

import string

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def folded(name: str) -> str:
    """Return the name with its ASCII letters in lower case, and all else as it is.

    Unicode's own rules would make the Kelvin sign a k, so that one name could pass for another.
    """
    return name.translate(_LOWER)
