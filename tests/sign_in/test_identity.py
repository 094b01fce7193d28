import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentcp_fsm.errors import CredentialsError
from agentcp_fsm.sign_in import Credentials
from agentcp_fsm.sign_in.identities import make_identity

AGENT = "alice.agentid.pub"


@pytest.fixture
def generous_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("generous_umask")
def test_files_and_folders_are_their_owners_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_identity(tmp_path / "data", AGENT)
    certs = tmp_path / "data" / AGENT / "private" / "certs"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (certs.parent, certs, *certs.iterdir())}
    assert set(modes.values()) == {0o700, 0o600}
    assert len(modes) == 4
    Credentials.load(tmp_path / "data", AGENT)
    assert not caplog.records


@pytest.mark.parametrize("ending", [".key", ".crt"])
def test_nothing_is_overwritten_and_nothing_is_left_of_the_try(tmp_path: Path, ending: str) -> None:
    certs = tmp_path / AGENT / "private" / "certs"
    certs.mkdir(parents=True)
    present = certs / f"{AGENT}{ending}"
    present.write_text("precious")
    with pytest.raises(CredentialsError, match=f"{ending} exists: remove it first"):
        make_identity(tmp_path, AGENT)
    assert list(certs.iterdir()) == [present]
    assert present.read_text() == "precious"


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.open

    def full(path: str, *arguments: int) -> int:
        if str(path).endswith(".crt"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return really(path, *arguments)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(CredentialsError, match="cannot be written: No space left"):
        make_identity(tmp_path, AGENT)
    assert list((tmp_path / AGENT / "private" / "certs").iterdir()) == []


@given(agent_id=st.text(max_size=30), password=st.none() | st.text(max_size=20))
@example("a" * 64, None)
@example("a" * 65, None)
@example("智能体" * 22, None)
@example(AGENT, "x" * 1024)
@example(AGENT, os.fsdecode(b"caf\xe9"))
@example(AGENT, "\ud800")
def test_an_identity_is_made_and_loaded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, agent_id: str, password: str | None
) -> None:
    folder = tmp_path_factory.mktemp("data")
    try:
        made = make_identity(folder, agent_id, password)
    except CredentialsError:
        assert list(folder.iterdir()) == []
        return
    assert Credentials.load(folder, agent_id, password) == made
