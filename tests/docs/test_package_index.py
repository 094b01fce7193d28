"""README.md on a package index: every link is an address there."""

import re
from pathlib import Path

import pytest

from docs.site.package_index import PackageIndex, absolute, urls

ROOT = Path(__file__).parents[2]
URL = "https://host.example/us/agentcp-fsm"


def test_every_link_is_absolute_and_leads_to_the_versions_files() -> None:
    text = absolute((ROOT / "README.md").read_text(encoding="utf-8"), URL, "1.2.3")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert all(target.startswith("https://") for target in targets)
    ours = [target for target in targets if target.startswith(URL)]
    assert len(ours) > 10
    for target in ours:
        path = re.sub(rf"{URL}/(blob|raw)/v1\.2\.3/|#.*", "", target)
        assert (ROOT / path).exists(), target
    assert "```mermaid" not in text  # which no package index draws


def test_the_addresses_are_there_if_the_place_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJECT_URL", f"{URL}/")
    metadata: dict[str, object] = {"version": "1.2.3"}
    PackageIndex(str(ROOT), {}).update(metadata)
    assert metadata["urls"] == urls(URL, "1.2.3")
    assert all(each.startswith(URL) for each in urls(URL, "1.2.3").values())


def test_without_a_place_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROJECT_URL", raising=False)
    metadata: dict[str, object] = {"version": "1.2.3"}
    PackageIndex(str(ROOT), {}).update(metadata)
    assert metadata["urls"] == {}
    assert metadata["readme"] == {
        "content-type": "text/markdown",
        "text": (ROOT / "README.md").read_text(encoding="utf-8"),
    }
