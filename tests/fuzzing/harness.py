"""Runs one harness in this process, which ends with it.

python -m tests.fuzzing.harness NAME FOLDER [OPTION OF LIBFUZZER ...]
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["agentcp_fsm"]):
    from tests.fuzzing.harnesses import HARNESSES, PLANTED


def main(name: str, corpus: Path, *options: str) -> None:
    warnings.simplefilter("ignore")  # cryptography's, about what it reads all the same
    harness = PLANTED if name == "planted" else HARNESSES[name]
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(harness.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    usual = (f"-max_len={harness.longest}", "-timeout=60", "-print_final_stats=1")
    arguments = [sys.argv[0], *usual, *options, str(corpus)]
    atheris.Setup(arguments, harness.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
