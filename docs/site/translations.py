"""Which pages are translated, and whether each translation is of the present page.

The translation of `page.md` is `page.zh-CN.md` beside it.  Its last line is `<!-- translates HASH -->`: the hash of the
page that it was made from.  `python -m docs.site.translations` lists the pages; with names of translations, such as
`docs/sdk.zh-CN.md`, it writes the present hash into them.
"""

import re
import sys
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

DOCS = Path(__file__).parents[1]
HOME = "index"
"""The site's home, which is README.md at the top of the project."""
DIAGRAM = re.compile(r"<!-- diagram:begin -->.*?<!-- diagram:end -->", re.DOTALL)
"""The picture in README.md, which is generated and needs no translation."""
_MARK = re.compile(r"\n<!-- translates (\w+) -->\n\Z")


class Status(StrEnum):
    """How the translation of a page stands."""

    FRESH = "fresh"
    STALE = "stale"
    """The page has changed since it was translated."""
    MISSING = "missing"


def original(name: str, docs: Path = DOCS) -> Path:
    """The file of a page, by its name on the site."""
    return docs.parent / "README.md" if name == HOME else docs / f"{name}.md"


def translation(name: str, docs: Path = DOCS) -> Path:
    """The file of a page's translation, whether or not there is one."""
    return docs / f"{name}.zh-CN.md"


def names(docs: Path = DOCS) -> list[str]:
    """The names of all pages."""
    pages = (path.relative_to(docs).with_suffix("").as_posix() for path in docs.rglob("*.md"))
    return sorted(page for page in pages if not page.endswith(".zh-CN"))


def hash_of(name: str, docs: Path = DOCS) -> str:
    """What changes when a page's text does."""
    text = DIAGRAM.sub("", original(name, docs).read_text(encoding="utf-8"))
    return sha256(text.encode()).hexdigest()[:16]


def status(name: str, docs: Path = DOCS) -> Status:
    """How the translation of a page stands."""
    translated = translation(name, docs)
    if not translated.exists():
        return Status.MISSING
    mark = _MARK.search(translated.read_text(encoding="utf-8"))
    return Status.FRESH if mark and mark[1] == hash_of(name, docs) else Status.STALE


def renew(path: Path, docs: Path = DOCS) -> None:
    """Write into a translation that it is one of the present page."""
    name = path.resolve().relative_to(docs).as_posix().removesuffix(".zh-CN.md")
    text = _MARK.sub("", path.read_text(encoding="utf-8")).rstrip("\n")
    path.write_text(f"{text}\n\n<!-- translates {hash_of(name, docs)} -->\n", encoding="utf-8")


def main(translations: list[str]) -> None:
    """List the pages with their status, or renew some translations."""
    for path in translations:
        renew(Path(path))
    if not translations:
        for each in Status:
            listed = [name for name in names() if status(name) is each]
            sys.stdout.write(f"{each}: {len(listed)}\n" + "".join(f"  {name}\n" for name in listed))


if __name__ == "__main__":
    main(sys.argv[1:])
