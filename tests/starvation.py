"""How long a process waited for a processor: what a bound in real time must allow for on a busy machine."""

from contextlib import suppress
from pathlib import Path


def starved(pid: int) -> float:
    """Seconds that its threads, those alive, were ready to run and did not; 0 for a process that is gone."""
    waited = 0
    for entry in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread has ended
            waited += int(entry.read_text().split()[1])
    return waited / 1e9
