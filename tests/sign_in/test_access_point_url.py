"""The address of an agent's access point."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.sign_in import (
    AccessPointClient,
    access_point_url,
)

ALICE = "alice.agentid.pub"
API = "/api/accesspoint"


@pytest.mark.parametrize(
    ("agent_id", "access_point", "url"),
    [
        (ALICE, None, "https://acp3.agentid.pub" + API),
        ("a.b.c.agentid.pub", None, "https://acp3.agentid.pub" + API),
        ("алиса.агент.рф", None, "https://acp3.агент.рф" + API),
        (ALICE, "example.net", "https://acp3.example.net" + API),
        ("alice", "example.net", "https://acp3.example.net" + API),
        (ALICE, "https://ap.example.net:8443", "https://ap.example.net:8443" + API),
        (ALICE, "https://ap.example.net/", "https://ap.example.net" + API),
        (ALICE, f"https://ap.example.net{API}/", "https://ap.example.net" + API),
        (ALICE, "http://[::1]:8765", "http://[::1]:8765" + API),
    ],
)
def test_the_access_point_is_named_by_the_agent_id_or_given(agent_id: str, access_point: str | None, url: str) -> None:
    assert access_point_url(agent_id, access_point) == url


@pytest.mark.parametrize(
    ("agent_id", "access_point"),
    [
        ("alice", None),
        ("agentid.pub", None),
        ("alice..", None),
        ("alice.agentid.pub:80", None),
        ("alice.user@evil.pub", None),
        ("alice.agentid.pub/x", None),
        ("alice.10.0", "10.0.0.1"),
        (ALICE, ""),
        (ALICE, "127.0.0.1:8765"),
        (ALICE, "agentid.pub?x"),
    ],
)
def test_what_names_no_access_point_is_refused_at_once(agent_id: str, access_point: str | None) -> None:
    with pytest.raises(ConfigError, match="give"):
        access_point_url(agent_id, access_point)


@given(agent_id=st.text(max_size=30))
def test_whatever_the_agent_id_its_last_labels_are_the_host_or_it_is_refused(agent_id: str) -> None:
    try:
        url = access_point_url(agent_id)
        AccessPointClient(url)  # may refuse what no name can be
    except ConfigError:
        return
    first, last = agent_id.split(".")[-2:]
    assert url == f"https://acp3.{first}.{last}{API}"
    assert not re.search(r"[\s/@:?#\\\[\]%]", first + last)
