"""The settings of a program that runs agents, from a file, the environment and the command's options.

Later sources outweigh earlier ones: the defaults, the file's ``[agent]``, its ``[[agents]]``, environment variables
(``AGENTCP_FSM_INTERVAL_MAX``), options (``--interval-max``).  It needs pydantic-settings (the extra ``config``).
"""

from __future__ import annotations

import os
import re
import warnings
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import Field, PlainValidator, ValidationError, WithJsonSchema, create_model
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.operations.catalogue import PREFIX, nearest, settings
from agentcp_fsm.operations.options import AgentOptions, ConnectOptions, FleetOptions, HandlerOptions
from agentcp_fsm.operations.settings_file import BadEntry, Layer, SettingsFile, read_file
from agentcp_fsm.support.names import folded

CONFIG_VARIABLE = f"{PREFIX}CONFIG"
"""Names the configuration file, for the command."""
DEFAULT = "default"
"""The origin of a value that nobody set."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The settings of one agent."""

    options: AgentOptions
    handlers: HandlerOptions
    config: Config
    origins: Mapping[str, str]
    """Where each setting comes from: ``FILE:LINE``, a variable, an option, or ``default``."""


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """The settings of a program: the command's, and those of each agent."""

    command: ConnectOptions
    fleet: FleetOptions
    agents: tuple[AgentSettings, ...]
    origins: Mapping[str, str]
    """Of the command's settings, and the fleet's."""
    bad: tuple[BadEntry, ...] = ()
    """The agents whose settings cannot be; `load` raises for the first of them."""


class _Environment(EnvSettingsSource):
    """The environment variables, each read as a value of its setting's kind."""

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:
        return settings()[field_name].read(value) if isinstance(value, str) else value


class _Layered(BaseSettings):
    """Settings made of two layers, ``flags`` and ``file``, and of the environment between them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, validate_default=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        assert isinstance(init_settings, InitSettingsSource)
        layers = init_settings.init_kwargs
        flags, file = (InitSettingsSource(settings_cls, dict(layers[name])) for name in ("flags", "file"))
        return flags, _Environment(settings_cls), file


@cache
def model(*, of_agent: bool) -> type[BaseSettings]:
    """The pydantic model of the settings of an agent, or of the command."""
    definitions: dict[str, Any] = {
        name: (
            Annotated[Any, PlainValidator(setting.accept), WithJsonSchema(setting.schema)],
            Field(default=setting.default),
        )
        for name, setting in settings().items()
        if setting.is_of_agent is of_agent
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the setting json has the name of a method that is not used
        made: type[BaseSettings] = create_model("Agent" if of_agent else "Program", __base__=_Layered, **definitions)
    return made


def load(file: Path | None, flags: Mapping[str, object]) -> ProgramSettings:
    """Load the settings; ``flags`` are the options that were given, by the settings' names.

    If the file has ``[[agents]]``, ``agent_id`` chooses one of them.  Raises ConfigError, which names the setting, its
    value, what is accepted, and where the value comes from.
    """
    content = SettingsFile() if file is None else read_file(file)
    of_agent = {name: value for name, value in flags.items() if settings()[name].is_of_agent}
    loaded = _loaded(content, flags, [_agent(of_agent, layer) for layer in _chosen(content, of_agent)])
    for entry in loaded.bad:
        raise entry.error
    return loaded


def load_fleet(file: Path, flags: Mapping[str, object]) -> ProgramSettings:
    """Load the settings of a fleet: its ``[[agents]]``, and those that the folder ``identities`` has besides.

    An agent whose settings cannot be is in `bad`, and does not keep the others from being loaded.  Raises ConfigError
    for what concerns all of them.
    """
    content = read_file(file)
    values, origins = _validated({}, content.agent, of_agent=True)
    agents: list[AgentSettings | BadEntry] = []
    for entry in content.agents:
        if isinstance(entry, BadEntry):
            agents.append(entry)
            continue
        try:
            _named(entry, content.agent)
            agents.append(_inheriting(entry, values, origins))
        except ConfigError as error:
            agents.append(BadEntry(str(entry.values.get("agent_id", "")), error))
    loaded = _loaded(content, flags, agents)
    if (folder := loaded.fleet.identities) is None:
        return loaded
    known = {folded(agent.options.agent_id) for agent in loaded.agents} | {folded(each.agent_id) for each in loaded.bad}
    place = loaded.origins["identities"]
    for agent_id in _identities(folder, place):
        if folded(agent_id) not in known:
            own = Layer({"agent_id": agent_id, "data": folder}, {"agent_id": place, "data": place})
            agents.append(_inheriting(own, values, origins))
    return _loaded(content, flags, agents)


def _loaded(
    content: SettingsFile, flags: Mapping[str, object], agents: Sequence[AgentSettings | BadEntry]
) -> ProgramSettings:
    """The settings of the program, with those of its agents; raises ConfigError unless the bad ones are wanted."""
    of_program = {name: value for name, value in flags.items() if not settings()[name].is_of_agent}
    values, origins = _validated(of_program, content.command, of_agent=False)
    command, fleet = ConnectOptions(**_of(ConnectOptions, values)), FleetOptions(**_of(FleetOptions, values))
    good: dict[str, AgentSettings] = {}
    bad: list[BadEntry] = []
    for agent in agents:
        if isinstance(agent, BadEntry):
            bad.append(agent)
            continue
        name, place = folded(agent.options.agent_id), agent.origins["agent_id"]
        if (first := good.setdefault(name, agent)) is not agent:
            there = first.origins["agent_id"]
            bad.append(
                BadEntry(
                    "",
                    ConfigError(f"{place}: the agent {agent.options.agent_id} is there already, at {there}: drop one"),
                )
            )
    _refuse_unknown_variables({agent.options.password_env for agent in good.values()})
    if command.exit_on_failure and not any(agent.config.sign_in_attempt_limit for agent in good.values()):
        raise ConfigError(
            f"{origins['exit_on_failure']}: exit_on_failure waits for an agent that gives up, and none does: give"
            " sign_in_attempt_limit"
        )
    return ProgramSettings(command, fleet, tuple(good.values()), origins, tuple(bad))


def _identities(folder: Path, place: str) -> list[str]:
    """The agents whose keys are in a folder, as the SDK keeps them; raises ConfigError if it cannot be read."""
    from agentcp_fsm.sign_in.credentials import IDENTITIES, CredentialFiles

    below = folder.joinpath(*IDENTITIES)
    try:
        found = sorted(each.name for each in (below if below.is_dir() else folder).iterdir())
    except OSError as error:
        raise ConfigError(f"{place}: the folder of identities {folder} cannot be read: {error.strerror}") from None
    return [name for name in found if CredentialFiles.of(folder, name).key.is_file()]


def load_one(file: Path | None, flags: Mapping[str, object]) -> ProgramSettings:
    """Load the settings of one agent; raises ConfigError as `load` does, and if there are several."""
    loaded = load(file, flags)
    if len(loaded.agents) != 1:
        names = ", ".join(agent.options.agent_id for agent in loaded.agents)
        raise ConfigError(f"the configuration has several agents: name one, as the argument AGENT_ID, of {names}")
    return loaded


def _chosen(content: SettingsFile, flags: Mapping[str, object]) -> list[Layer]:
    """The layers of the agents that are to run: all, or the one that an option or a variable names."""
    variable = settings()["agent_id"].variable
    name = flags.get("agent_id") or os.environ.get(variable)
    layers = []
    for entry in content.agents:
        if isinstance(entry, BadEntry):
            raise entry.error
        layers.append(_named(entry, content.agent))
    if not layers:
        return [content.agent]
    if not name:
        return layers
    found = [layer for layer in layers if folded(str(layer.values["agent_id"])) == folded(str(name))]
    if not found:
        known = ", ".join(str(layer.values["agent_id"]) for layer in layers)
        raise ConfigError(f"the agent {name} is none of the [[agents]] of the configuration: there are {known}")
    return found


def _named(own: Layer, of_all: Layer) -> Layer:
    """The settings of one of the agents; raises ConfigError if it has no id of its own."""
    if not own.values.get("agent_id"):
        place = next(iter((own.places or of_all.places).values()), "")
        raise ConfigError(f"{place}: one of the [[agents]] has no agent_id of its own: give it one")
    return own.over(of_all)


def _inheriting(own: Layer, values: Mapping[str, Any], origins: dict[str, str]) -> AgentSettings:
    """An agent of a fleet: its own settings over those of all, which are valid, and below the environment's."""
    accepted: dict[str, object] = {}
    for name, value in own.values.items():
        if name == "agent_id" or origins[name] != settings()[name].variable:
            try:
                accepted[name] = settings()[name].accept(value)
            except ConfigError as error:
                raise ConfigError(f"{own.places[name]}: {error}") from None
    places = {name: own.places[name] for name in accepted}
    return _agent_of({**values, **accepted}, ChainMap(places, origins))


def _agent(flags: Mapping[str, object], file: Layer) -> AgentSettings:
    return _agent_of(*_validated(flags, file, of_agent=True))


def _agent_of(values: dict[str, Any], origins: Mapping[str, str]) -> AgentSettings:
    for name in ("agent_id", "data"):
        if values[name] is None:
            setting = settings()[name]
            how = "as the argument AGENT_ID" if name == "agent_id" else f"by {setting.flag}"
            raise ConfigError(f"{name} is not set: give it {how}, by {setting.variable}, or in the configuration file")
    timings = {item.name: values.pop(item.name) for item in fields(Config)}
    try:
        config = _config(**timings)
    except ConfigError as error:  # settings that contradict each other
        named = [name for name in re.findall(r"\w+", str(error)) if name in timings]
        places = ", ".join(dict.fromkeys(f"{name}: {origins[name]}" for name in named))
        raise ConfigError(f"{error} ({places})") from None
    options, handlers = AgentOptions(**_of(AgentOptions, values)), HandlerOptions(**_of(HandlerOptions, values))
    return AgentSettings(options, handlers, config, origins)


_config = lru_cache(maxsize=256)(Config)
"""The same for the same timings: many agents share them."""


def _of(group: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that belong to a group of settings."""
    return {name: value for name, value in values.items() if settings()[name].group is group}


def _validated(flags: Mapping[str, object], file: Layer, *, of_agent: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of an agent's or the command's settings, and their origins."""
    kind = model(of_agent=of_agent)
    by_environment = _Environment(kind)()
    origins = dict.fromkeys(kind.model_fields, DEFAULT)
    origins |= file.places
    origins |= {name: settings()[name].variable for name in by_environment}
    origins |= {name: "argument" if name == "agent_id" else settings()[name].flag for name in flags}
    try:
        made = kind.model_validate({"flags": flags, "file": file.values})
    except ValidationError as error:
        _refuse(error, origins)
    return dict(made), origins


def _refuse(error: ValidationError, origins: Mapping[str, str]) -> NoReturn:
    first = error.errors()[0]
    name = str(first["loc"][0])
    cause = first.get("ctx", {}).get("error")
    text = str(cause) if isinstance(cause, ConfigError) else f"{name}={first['input']!r}: {first['msg']}"
    raise ConfigError(f"{origins[name]}: {text}") from None


def _refuse_unknown_variables(secrets: set[str | None]) -> None:
    """Raise ConfigError for a variable that reads like a setting and is none; those that hold passwords may."""
    known = {CONFIG_VARIABLE, *(setting.variable for setting in settings().values())}
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in known and variable not in secrets:
            near = nearest(variable, known)
            raise ConfigError(f"the environment variable {variable} names no setting{near}")
