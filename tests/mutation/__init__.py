"""How many deliberate defects the tests notice; not part of the test run.

``python -m tests.mutation.chart_mutants`` changes the chart, and explains its survivors itself.

``HYPOTHESIS_PROFILE=mutation mutmut run`` changes the machine, the engine and the configuration.  Its survivors change
nothing that could be noticed.  In `agentcp_fsm/lifecycle/machine.py`:

- ``>`` for ``>=`` or the reverse where both sides are then the same (`handle`, `send_heartbeat`, `note_answer`);
- NextBeat bounded at 1 instead of 0, or bounded at 2**64 itself, too: no interval is below a millisecond, nor above
  2**64 of them (`note_answer`);
- another first value of `_effects`, which every event replaces, or another empty one of `_invitations` (`__init__`);
- no event for the first heartbeat, which asks for none (`prove_session`);
- another value in a dictionary of which only the keys count (`deliver_invitation`);
- an exponent bounded at 1001 instead of 1000, far above any cap (`_doubled`).

In `agentcp_fsm/lifecycle/config.py` and `agentcp_fsm/fsm/` (`step.py`, `interop.py`):

- the defaults of fields, which are read at import, before a mutant is switched on (`_seconds`, `_count`);
- other names in the generated source, and its lines kept for tracebacks without their ends (`_Stepper`);
- None for False where `transitions` asks for a truth value (`machine`).
"""
