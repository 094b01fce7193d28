"""README.md and the project's addresses for a package index, where relative links lead nowhere.

The release sets PROJECT_URL, the project's place on its code host, and the links lead there, to the version's tag.
Other builds keep README.md as it is, and claim no address.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

DIAGRAM = re.compile(r"<!-- diagram:begin -->.*?<!-- diagram:end -->", re.DOTALL)


def absolute(text: str, url: str, version: str) -> str:
    """README.md with links and the picture by their addresses."""
    text = DIAGRAM.sub(f"![The states of a connection]({url}/raw/v{version}/docs/diagram/overview.svg)", text)
    return re.sub(r"\]\((?!https?:|#)", f"]({url}/blob/v{version}/", text)


def urls(url: str, version: str) -> dict[str, str]:
    """The addresses that a package index shows."""
    return {
        "Source": url,
        "Documentation": f"{url}/blob/v{version}/docs/README.md",
        "Changelog": f"{url}/blob/v{version}/docs/CHANGELOG.md",
        "Issues": f"{url}/issues",
    }


class PackageIndex(MetadataHookInterface):
    """Fills in what pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the text of README.md, and the addresses if there are any."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        url, version = os.environ.get("PROJECT_URL", "").rstrip("/"), metadata["version"]
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute(text, url, version) if url else text,
        }
        metadata["urls"] = urls(url, version) if url else {}
