from tests.faults.bench import Case

CASES: tuple[Case, ...] = ()
