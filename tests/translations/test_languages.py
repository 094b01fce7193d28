"""Which language is shown, by the option and by the locale, and what stays English."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from agentcp_fsm.cli.language import Language
from agentcp_fsm.sign_in.identities import identities_folder, make_identity
from agentcp_fsm.support import messages
from agentcp_fsm.support.messages import preferred, translated

ALICE = "alice.agentid.pub"
SILENT = "The server is silent: the connection is lost."


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_SG"}, "zh"),
        ({"LANG": "zh"}, "zh"),
        ({"LANG": "zh-Hans-CN"}, "zh"),
        ({"LANG": "zh_CN.GB18030@pinyin"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANGUAGE": "zh_CN", "LC_ALL": "C"}, "en"),
        ({"LANGUAGE": "zh_CN", "LANG": "C.UTF-8"}, "zh"),
        ({"LANGUAGE": "zh_CN", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LANGUAGE": "en:zh_CN", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANGUAGE": "de:zh_CN", "LANG": "de_DE.UTF-8"}, "zh"),
        ({"LANGUAGE": "fr", "LANG": "zh_CN.UTF-8"}, "zh"),
    ],
)
def test_the_locale_chooses_the_language(
    environment: Mapping[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_of_windows", lambda: "")
    assert preferred(environment) == language


@pytest.mark.parametrize(("windows", "language"), [("zh_CN", "zh"), ("zh_TW", "en"), ("en_US", "en"), ("", "en")])
def test_without_a_locale_windows_chooses(windows: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "_of_windows", lambda: windows)
    assert preferred({}) == language
    assert preferred({"LANG": "en_US.UTF-8"}) == "en"


def test_the_option_takes_the_languages_that_there_are() -> None:
    assert [str(language) for language in Language] == list(messages.LANGUAGES)


def test_what_has_no_translation_stays_english() -> None:
    try:
        messages.use("zh")
        assert translated(SILENT) != SILENT
        assert translated("of no catalogue") == "of no catalogue"
        assert translated("") == ""  # and not the catalogue's head
    finally:
        messages.use("en")
    assert translated(SILENT) == SILENT


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    ended = subprocess.run(
        [sys.executable, "-m", "agentcp_fsm", *arguments],
        env=kept | {"PYTHONUTF8": "1"} | environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout.decode()


@pytest.mark.parametrize("way", ["--lang zh", "--lang=zh", "LANG"])
def test_the_main_help(way: str) -> None:
    status, shown = run(*way.split(), "--help") if way != "LANG" else run(LANG="zh_CN.UTF-8")
    assert status == 0
    assert "让 AgentCP 智能体始终可达" in shown
    assert "检查智能体可达所需的一切" in shown
    assert "显示版本并退出" in shown


def test_the_option_is_stronger_than_the_locale() -> None:
    assert "Check step by step what an agent needs" in run("--lang", "en", "--help", LC_ALL="zh_CN.UTF-8")[1]


@pytest.mark.parametrize("arguments", [("--lang", "fr", "demo"), ("demo", "--lang", "zh")])
def test_a_language_that_there_is_not_or_in_the_wrong_place_is_refused(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


def test_the_doctor(tmp_path: Path) -> None:
    make_identity(identities_folder(tmp_path), ALICE)
    examined = ("doctor", ALICE, "--data", str(tmp_path), "--server", "http://127.0.0.1:9")
    status, shown = run("--lang", "zh", *examined)
    assert status == 1
    assert "自签名，仅供本地服务器使用" in shown
    assert "无法连接 127.0.0.1 端口 9" in shown
    assert "并非一切正常" in shown
    for line in run("--lang", "zh", *examined, "--json")[1].splitlines():
        assert json.loads(line)
        assert line.isascii(), "what programs read is English"


def test_the_demo() -> None:
    status, shown = run("--lang", "zh", "demo", "--fast")
    assert status == 0
    assert "网络中断：所有数据报丢失" in shown
    assert "服务器没有回音：连接已断开" in shown
    assert "4 次恢复全部成功" in shown
