"""Keeps an AgentCP agent reachable: the life of its heartbeat connection as one explicit finite state machine."""
