"""How many deliberate defects the tests notice; not part of the test run."""
