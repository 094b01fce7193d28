"""Settings from the file, the environment and options: which one holds, and how each mistake is named."""

import math
import os
import re
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest

from agentcp_fsm import Config, ConfigError
from agentcp_fsm.operations.catalogue import Setting, setting_named, settings
from agentcp_fsm.operations.options import AgentOptions, ConnectOptions, FleetOptions, HandlerOptions
from agentcp_fsm.operations.reference import explained, page, schema
from agentcp_fsm.operations.settings import DEFAULT, ProgramSettings, load, load_one
from tests.test_citations import LAW, citations

ROOT = Path(__file__).parents[2]
ALICE, BOB = "alice.agentid.pub", "bob.agentid.pub"
GIVEN = {"agent_id": ALICE, "data": "agents"}
OTHER: dict[str, object] = {"log_level": "debug", "log_format": "json", "codec": "protobuf", "sign_in_attempt_limit": 7}
"""A value that is not the default, where none can be made of that."""


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AGENTCP_FSM_")]:
        monkeypatch.delenv(name)


def other(setting: Setting) -> object:
    """A value that a setting accepts, and that is not its default."""
    if setting.name in OTHER:
        return OTHER[setting.name]
    if setting.kind in (int, float):
        default = setting.default
        assert isinstance(default, int | float)
        return default / 2 if setting.kind is float else default + 1
    return {bool: True, str: "text", Path: "/some/path"}[setting.kind]


def toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def write(folder: Path, text: str) -> Path:
    file = folder / "agents.toml"
    file.write_text(text, encoding="utf-8")
    return file


def found(loaded: ProgramSettings, setting: Setting) -> tuple[object, str]:
    agent = loaded.agents[0]
    if setting.is_of_agent:
        group = {Config: agent.config, AgentOptions: agent.options, HandlerOptions: agent.handlers}[setting.group]
        return getattr(group, setting.name), agent.origins[setting.name]
    of_program = loaded.fleet if setting.group is FleetOptions else loaded.command
    return getattr(of_program, setting.name), loaded.origins[setting.name]


@pytest.mark.parametrize("setting", settings().values(), ids=settings())
def test_later_sources_outweigh_earlier_ones(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting, from every source."""
    needed = {**GIVEN, "sign_in_attempt_limit": 3} if setting.name == "exit_on_failure" else GIVEN
    flags = {name: value for name, value in needed.items() if name != setting.name}
    value = other(setting)
    wanted = Path(str(value)) if setting.kind is Path else value
    if setting.name not in GIVEN:
        assert found(load(None, flags), setting) == (setting.default, DEFAULT)
    line = f"{setting.name} = {toml(value)}\n"
    file = write(tmp_path, f"\n[agent]\n{line}" if setting.is_of_agent else f"\n{line}")
    place = f"{file}:{3 if setting.is_of_agent else 2}"
    assert found(load(file, flags), setting) == (wanted, place)
    if setting.kind is not bool:  # what outweighs is the default, again, or the same by another way
        again = setting.default if setting.default is not None else value
        monkeypatch.setenv(setting.variable, str(again))
        expected = Path(str(again)) if setting.kind is Path else again
        assert found(load(file, flags), setting) == (expected, setting.variable)
        origin = "argument" if setting.name == "agent_id" else setting.flag
        assert found(load(file, {**flags, setting.name: value}), setting) == (wanted, origin)
        return
    for text, meant in (("true", True), ("No", False), ("1", True), ("off", False)):
        monkeypatch.setenv(setting.variable, text)
        assert found(load(file, flags), setting) == (meant, setting.variable)
    assert found(load(file, {**flags, setting.name: True}), setting) == (True, setting.flag)


@pytest.mark.parametrize("setting", settings().values(), ids=settings())
def test_a_bad_value_is_named_with_what_is_accepted_and_where_it_is(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = {name: value for name, value in GIVEN.items() if name != setting.name}
    wrong = "[]" if setting.kind in (str, Path) else '"wrong"'
    line = f"{setting.name} = {wrong}"
    file = write(tmp_path, f"[agent]\n{line}" if setting.is_of_agent else line)
    with pytest.raises(ConfigError) as refused:
        load(file, flags)
    assert str(refused.value).startswith(f"{file}:{2 if setting.is_of_agent else 1}: {setting.name}=")
    assert ": give " in str(refused.value)
    if setting.kind not in (str, Path):
        monkeypatch.setenv(setting.variable, "wrong")
        with pytest.raises(ConfigError, match=f"^{setting.variable}: {setting.name}='wrong': give "):
            load(None, flags)


@pytest.mark.parametrize(
    "setting", [each for each in settings().values() if each.kind in (int, float)], ids=lambda each: each.name
)
def test_the_schema_has_the_bounds_that_are_kept(setting: Setting) -> None:
    described = schema()["properties"]
    assert isinstance(described, dict)
    about = (described["agent"]["properties"] if setting.is_of_agent else described)[setting.name]
    bounds = about["anyOf"][1] if "anyOf" in about else about
    low, high = bounds["minimum"], bounds["maximum"]
    for value in (low, high, *([0] if "anyOf" in about else [])):
        assert setting.accept(setting.kind(value)) == value
    step = 1 if setting.kind is int else 1e-6
    beyond = [low - step, high + max(step, high * 1e-9), True, math.nan, math.inf, "1"]
    for value in beyond:
        with pytest.raises(ConfigError, match=f"^{setting.name}="):
            setting.accept(value)


@pytest.mark.parametrize("setting", settings().values(), ids=settings())
def test_another_reader_of_the_schema_judges_as_the_program_does(setting: Setting) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    values: list[object] = [other(setting), setting.default, 0, 1, -1, 1.5, 1e12, True, "", "text", [], {}]
    for value in values:
        content = {"agent": {setting.name: value}} if setting.is_of_agent else {setting.name: value}
        try:
            setting.accept(value)
            accepted = value is not None  # which TOML does not have
        except ConfigError:
            accepted = False
        # The schema takes 1.0 for a whole number, and so does every reader of it.
        assert validator.is_valid(content) == accepted, (setting.name, value)


def test_the_schema_knows_every_setting_and_no_other() -> None:
    described = schema()["properties"]
    assert isinstance(described, dict)
    of_agent = described["agent"]["properties"]
    assert set(of_agent) == {field.name for group in (AgentOptions, HandlerOptions, Config) for field in fields(group)}
    assert set(described) - {"agent", "agents"} == {
        field.name for group in (ConnectOptions, FleetOptions) for field in fields(group)
    }
    assert of_agent == described["agents"]["items"]["properties"]
    assert all(each["description"] for each in of_agent.values())
    assert of_agent["interval_max"]["default"] == Config().interval_max
    assert "default" not in of_agent["server"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[agent]\nintervall_max = 3", ":2: there is no setting 'intervall_max' here: did you mean interval_max"),
        ("statuss = '127.0.0.1:1'", ":1: there is no setting 'statuss' here: did you mean status"),
        ("[agent]\njson = true", ":2: json is in the wrong table: it belongs in the top of the file"),
        ("interval_max = 3", r":1: interval_max is in the wrong table: it belongs in \[agent\]"),
        ("[[agents]]\nagent_id = 'a.b.c'\n\n[[agents]]\nagent_id = 'd.e.f'\ncodek = 'x'", ":6: .*did you mean codec"),
        ("[agent]\nlog = '''\ncodek = 1\n'''\n", ":2: there is no setting 'log'"),
        ("agent = 1", ":1: agent is no table"),
        ("agents = [1]", ":1: agents are no tables"),
        ("[agent]\nx\n", r"agents\.toml is no TOML: .*line 2"),
        ("[agent]\ninterval_min = 20\ninterval_max = 10.0", r"interval_min: .*:2, interval_max: .*:3"),
        ("[[agents]]\ninterval_max = 10.0", r":2: one of the \[\[agents\]\] has no agent_id"),
        ("[[agents]]\nagent_id = 'a.b.c'\n[[agents]]\nagent_id = 'A.b.c'", r":4: the agent A.b.c is there already.*:2"),
        ("exit_on_failure = true", ":1: exit_on_failure waits .*: give sign_in_attempt_limit"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    flags = {"data": "agents"} if "agents]]" in text else GIVEN
    with pytest.raises(ConfigError, match=says):
        load(write(tmp_path, text), flags)


def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r":2: .* password_file, password_env, password_command or password_c"
    ) as refused:
        load(write(tmp_path, "[agent]\npassword = 'sesame'"), GIVEN)
    assert "sesame" not in str(refused.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml", GIVEN)
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "latin", GIVEN)


def test_what_is_missing_is_said() -> None:
    with pytest.raises(
        ConfigError, match="agent_id is not set: give it as the argument AGENT_ID, by AGENTCP_FSM_AGENT_ID"
    ):
        load(None, {})
    with pytest.raises(ConfigError, match="data is not set: give it by --data"):
        load(None, {"agent_id": ALICE})


def test_a_variable_that_is_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTCP_FSM_INTERVALL_MAX", "3")
    with pytest.raises(
        ConfigError, match="AGENTCP_FSM_INTERVALL_MAX names no setting: did you mean AGENTCP_FSM_INTERVAL_MAX"
    ):
        load(None, GIVEN)
    load(None, {**GIVEN, "password_env": "AGENTCP_FSM_INTERVALL_MAX"})


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTCP_FSM_SERVER", "")
    agent = load(None, GIVEN).agents[0]
    assert (agent.options.server, agent.origins["server"]) == (None, DEFAULT)


def test_several_agents_share_a_table_and_have_their_own(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        f"[agent]\ndata = 'agents'\ninterval_max = 20.0\n[[agents]]\nagent_id = '{ALICE}'\n"
        f"[[agents]]\nagent_id = '{BOB}'\ninterval_max = 10.0\ncodec = 'protobuf'\n",
    )
    agents = load(file, {}).agents
    assert [(each.options.agent_id, each.config.interval_max, each.options.codec) for each in agents] == [
        (ALICE, 20.0, "agentcp"),
        (BOB, 10.0, "protobuf"),
    ]
    assert {each.options.data for each in agents} == {tmp_path / "agents"}, "from the file's own folder"
    assert [each.origins["interval_max"] for each in agents] == [f"{file}:3", f"{file}:8"]
    assert load_one(file, {"agent_id": BOB.upper()}).agents[0].options.agent_id == BOB.upper()
    assert load_one(file, {"agent_id": BOB}).agents[0].config.interval_max == 10.0
    with pytest.raises(ConfigError, match=f"none of the .* there are {ALICE}, {BOB}"):
        load(file, {"agent_id": "carol.agentid.pub"})
    with pytest.raises(ConfigError, match="several agents: name one"):
        load_one(file, {})


def test_each_setting_of_a_connection_serves_what_the_pages_say() -> None:
    """By its metadata, the rules or the section below which the page names it."""
    sections: dict[str, set[str]] = {}
    for name, text in LAW.items():
        for section in re.split(r"^##+ ", text, flags=re.MULTILINE)[1:]:
            title = section.partition("\n")[0]
            cited = title.lower() if title.startswith("Rule") else f'{name}, "{title}"'
            for paragraph in re.findall(r"^Settings: (.+?)\n\n", section, re.MULTILINE | re.DOTALL):
                for setting in re.findall(r"`(\w+)`", paragraph):
                    sections.setdefault(setting, set()).add(cited)
    for setting in settings().values():
        if setting.group is Config:
            rules = {each for each in sections[setting.name] if each.startswith("rule")}
            assert set(citations(setting.serves)) == (rules or sections[setting.name]), setting.name


def test_a_setting_is_explained_however_it_is_written() -> None:
    shown = explained(setting_named("interval_max"))
    assert shown == explained(setting_named("--interval-max")) == explained(setting_named("AGENTCP_FSM_INTERVAL_MAX"))
    for part in ("NAT bindings", "seconds, 0.001 to 1000000000", "30.0", "rule 1", "--interval-max"):
        assert part in shown
    with pytest.raises(ConfigError, match="did you mean interval_max"):
        setting_named("intervalmax")


def test_the_reference_page_is_fresh() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == page(), "run: agentcp-fsm config reference > docs/configuration.md"
    assert all(f"| `{name}` |" in written for name in settings())
