"""``python -m tests.fuzzing [NAME ...] [--seconds N] [--keep FOLDER]``: the exit status is 1 if something was found."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

NAMES = ("codec-agentcp", "codec-protobuf", "answers", "proof", "chain", "traces")
KEPT = Path(".fuzzing")
MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a harness."""

    executions: int
    fault: str | None
    """The text of the failure, and where the bytes that cause it are."""


def fuzz(name: str, seconds: int, kept: Path, seed: int = 0, runs: int = -1) -> Outcome:
    """Run a harness for some seconds, or for so many `runs` if that is less, with what was learnt before.

    `seed` 0 is another one each time.

    Raises RuntimeError if it could not run.
    """
    found = kept / "found" / name
    found.mkdir(parents=True, exist_ok=True)
    options = (f"-max_total_time={seconds}", f"-artifact_prefix={found}/", f"-seed={seed}", f"-runs={runs}")
    command = [sys.executable, "-m", "tests.fuzzing.harness", name, str(kept / name), *options]
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:  # the harness has no time to clean up
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env=os.environ | {"TMPDIR": folder}
        )
    executed = re.search(r"stat::number_of_executed_units:\s+(\d+)", done.stderr)
    if done.returncode == 0 and executed:
        return Outcome(int(executed[1]), None)
    written = re.search(r"Test unit written to (\S+)", done.stderr)
    if not written:
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    said = (done.stdout + done.stderr).partition("=== Uncaught Python exception: ===")[2].partition("\n==")[0].strip()
    return Outcome(int(executed[1]) if executed else 0, f"{said or done.stderr}\n{written[1]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", help=f"of {', '.join(NAMES)}; without any, all of them")
    parser.add_argument("--seconds", type=int, default=60, help="for each of them")
    parser.add_argument("--keep", type=Path, default=KEPT, metavar="FOLDER", help="for what is learnt and found")
    arguments = parser.parse_args()
    if unknown := set(arguments.name) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose of {', '.join(NAMES)}")
    status = 0
    for name in arguments.name or NAMES:
        outcome = fuzz(name, arguments.seconds, arguments.keep)
        print(f"{name}: {outcome.executions:,} executions, {'a fault:' if outcome.fault else 'no fault'}", flush=True)
        if outcome.fault:
            print(outcome.fault)
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
