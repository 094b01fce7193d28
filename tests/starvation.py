"""How long a thread waited for a processor, which a bound in real time must allow for on a busy machine."""

from pathlib import Path


def starved(process: int, thread: int | None = None) -> float:
    """Seconds that a thread (none given: the main one) was ready to run and did not; 0 for one that is gone."""
    try:
        counted = Path(f"/proc/{process}/task/{thread or process}/schedstat").read_text()
    except OSError:
        return 0.0
    return int(counted.split()[1]) / 1e9
