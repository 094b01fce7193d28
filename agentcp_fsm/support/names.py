"""How names of hosts and agents are compared."""

import string

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def folded(name: str) -> str:
    """Return what makes a name the same however it is spelled: ASCII has two cases, and stands for itself alone.

    Unicode's own rules would make the Kelvin sign a k, so that a name with the one passed for a name with the other.
    """
    return name.translate(_LOWER)
