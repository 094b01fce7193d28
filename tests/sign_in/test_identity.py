import errno
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").rglob("*")}
    assert sorted(modes.values()) == [0o600, 0o600, 0o700, 0o700, 0o700]
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
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

    def full(path: str, *arguments: int, **options: int) -> int:
        if str(path).endswith(".crt"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return really(path, *arguments, **options)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(CredentialsError, match="cannot be written: No space left"):
        make_identity(tmp_path, AGENT)
    assert [path.name for path in tmp_path.rglob("*")] == [AGENT, "private"]


KILLED = """
import os, sys
from agentcp_fsm.sign_in.identities import make_identity

def killed(event, arguments):
    if event == sys.argv[2] and (not sys.argv[3] or str(arguments[0]).endswith(sys.argv[3])):
        os._exit(9)

sys.addaudithook(killed)
make_identity(sys.argv[1], "alice.agentid.pub")
"""


@pytest.mark.parametrize(
    ("event", "ending"),
    [("os.mkdir", "private"), ("open", ".key"), ("open", ".crt"), ("os.rename", "")],
)
def test_a_process_killed_in_between_stands_in_nobodys_way(tmp_path: Path, event: str, ending: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "data", event, ending], check=False)
    assert killed.returncode == 9
    made = make_identity(tmp_path / "data", AGENT)
    assert Credentials.load(tmp_path / "data", AGENT) == made


def test_of_many_makers_one_makes_it(tmp_path: Path) -> None:
    def make() -> bool:
        try:
            make_identity(tmp_path / "data", AGENT)
        except CredentialsError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: make(), range(16))) == 1
    assert Credentials.load(tmp_path / "data", AGENT).agent_id == AGENT


def test_an_open_folder_is_warned_of_when_the_identity_is_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / AGENT).mkdir()
    (tmp_path / AGENT).chmod(0o777)
    make_identity(tmp_path, AGENT)
    assert [record.getMessage() for record in caplog.records] == [
        f"other users can replace the files in {tmp_path / AGENT}: chmod go-w it"
    ]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    certs = tmp_path / AGENT / "private" / "certs"
    certs.mkdir(parents=True)
    (certs / f"{AGENT}.key").symlink_to(tmp_path / "absent")
    with pytest.raises(CredentialsError, match="exists: remove it first"):
        make_identity(tmp_path, AGENT)
    assert not (tmp_path / "absent").exists()


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
