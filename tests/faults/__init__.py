"""Recovery from real faults, measured: see `tests.faults.bench`."""
