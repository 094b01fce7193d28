"""The agent that is examined, the server, and the examination itself."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm.doctor import STEPS, Examination, Finding, heartbeat, server_at
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in import ClientOptions, Timeouts
from agentcp_fsm.sign_in.identities import make_identity as make_throwaway
from tests.doctor.examined import AGENT, PASSWORD


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_TIMEOUT", 20.0)  # a busy machine is no lossy network


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, patient: None) -> None:
    """For heartbeats that nobody answers."""
    monkeypatch.setattr(heartbeat, "HEARTBEAT_TIMEOUT", 0.05)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_throwaway(tmp_path, AGENT, PASSWORD)
    return tmp_path


@pytest.fixture
def examine(data: Path, server: ServerThread) -> Callable[..., dict[str, Finding]]:
    def examine(
        url: str | None = None, password: str | None = PASSWORD, timeouts: Timeouts | None = None, **options: Any
    ) -> dict[str, Finding]:
        trust: ClientOptions = {**options}  # type: ignore[typeddict-item]
        examination = Examination(
            AGENT, data, server_at(url or server.url), password=password, timeouts=timeouts, options=trust
        )
        found = list(examination.findings())
        assert [finding.step for finding in found] == list(STEPS)
        json.dumps([asdict(finding) for finding in found])  # for programs
        return {finding.step: finding for finding in found}

    return examine
