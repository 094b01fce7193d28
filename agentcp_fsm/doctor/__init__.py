"""Examines, step by step, what an agent needs to be reachable, and says what to do about each failure."""

from agentcp_fsm.doctor.examination import STEPS, Examination, FindServer, server_at, server_named_by
from agentcp_fsm.doctor.finding import Finding, Outcome
from agentcp_fsm.doctor.running import Running

__all__ = ["STEPS", "Examination", "FindServer", "Finding", "Outcome", "Running", "server_at", "server_named_by"]
