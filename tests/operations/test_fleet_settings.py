"""The settings of a fleet: a bad entry is named with its line, and keeps no other from being loaded."""

from pathlib import Path

import pytest

from agentcp_fsm import ConfigError
from agentcp_fsm.operations.agents import password_of
from agentcp_fsm.operations.options import AgentOptions
from agentcp_fsm.operations.settings import load, load_fleet
from agentcp_fsm.sign_in.identities import identities_folder, make_identity
from tests.needs import needs_posix

ALICE, BOB = "alice.agentid.pub", "bob.agentid.pub"

BAD = f"""
starts_at_once = 2
[agent]
data = "agents"
[[agents]]
agent_id = "{ALICE}"
[[agents]]
agent_id = "b.agentid.pub"
codek = "x"
[[agents]]
codec = "agentcp"
[[agents]]
agent_id = "c.agentid.pub"
interval_min = "x"
[[agents]]
agent_id = "{ALICE.upper()}"
[[agents]]
agent_id = "{BOB}"
on_invite = "true"
"""


def test_bad_entries_are_named_and_the_others_are_loaded(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(BAD)
    loaded = load_fleet(file, {"stop_timeout": 5.0})
    assert [agent.options.agent_id for agent in loaded.agents] == [ALICE, BOB]
    assert (loaded.fleet.starts_at_once, loaded.fleet.stop_timeout) == (2, 5.0)
    assert [agent.handlers.on_invite for agent in loaded.agents] == [None, "true"]
    bad = {entry.agent_id: str(entry.error) for entry in loaded.bad if entry.agent_id}
    assert bad["b.agentid.pub"].startswith(f"{file}:9: there is no setting 'codek'")
    assert bad["c.agentid.pub"].startswith(f"{file}:14: interval_min='x': give ")
    nameless = sorted(str(entry.error) for entry in loaded.bad if not entry.agent_id)
    assert [text.partition(": ")[0] for text in nameless] == [f"{file}:11", f"{file}:16"]
    with pytest.raises(ConfigError, match=":9: there is no setting 'codek'"):
        load(file, {})


def test_an_agent_has_the_settings_that_the_slower_way_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`load` validates each agent as a whole; a fleet's are made of what is valid for all."""
    file = tmp_path / "agents.toml"
    file.write_text(
        "[agent]\ndata = 'agents'\ninterval_max = 20.0\nwebhook = 'https://a.example'\n"
        f"[[agents]]\nagent_id = '{ALICE}'\n[[agents]]\nagent_id = '{BOB}'\ninterval_max = 10.0\n"
        "codec = 'protobuf'\ndata = 'b'\nserver = 'https://b.example'\n"
    )
    for environment in ({}, {"SERVER": "https://env.example", "INTERVAL_MAX": "12.5", "DATA": "/env"}):
        for name, value in environment.items():
            monkeypatch.setenv(f"AGENTCP_FSM_{name}", value)
        one_by_one, together = load(file, {}).agents, load_fleet(file, {}).agents
        assert one_by_one == together
        assert [dict(agent.origins) for agent in one_by_one] == [dict(agent.origins) for agent in together]
    assert together[0].config is together[1].config, "the same for the same timings"


def test_a_folder_brings_the_agents_whose_keys_are_in_it(tmp_path: Path) -> None:
    for agent_id in (ALICE, BOB):
        make_identity(identities_folder(tmp_path / "data"), agent_id)
    (tmp_path / "data" / "agentcp" / "AIDs" / "no.agent").mkdir()
    file = tmp_path / "fleet.toml"
    text = f"identities = 'data'\n[agent]\ncodec = 'protobuf'\n[[agents]]\nagent_id = '{BOB}'\ndata = 'elsewhere'\n"
    file.write_text(text)
    agents = {agent.options.agent_id: agent for agent in load_fleet(file, {}).agents}
    assert list(agents) == [BOB, ALICE]
    assert [agents[each].options.data for each in (ALICE, BOB)] == [tmp_path / "data", tmp_path / "elsewhere"]
    assert {agent.options.codec for agent in agents.values()} == {"protobuf"}
    assert agents[ALICE].origins["agent_id"] == f"{file}:1"


def test_a_password_may_come_from_a_command(tmp_path: Path) -> None:
    needs_posix("a shell")

    def password(command: str) -> str | None:
        return password_of(AgentOptions(ALICE, tmp_path, password_command=command), print)

    assert password("sh -c 'echo sesame of $AGENT_ID; echo more'") == f"sesame of {ALICE}"
    for command, says in (
        ("sh -c 'exit 3'", "failed with status 3"),
        ("true", "wrote nothing"),
        ("/no/such", "cannot be run: No such file"),
        ("'", "is no command"),
        ("''", "cannot be run|is no command"),
    ):
        with pytest.raises(Exception, match=says):
            password(command)
