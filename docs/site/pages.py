"""The pages as the site shows them: in its language, with links that lead within it, and listed as in docs/README.md.

The files are written for people who read them where the source is kept.  Little must be changed for the site: it has
README.md as its home, pictures instead of Mermaid, and a switch instead of a link to the other language.
"""

import re
from pathlib import PurePosixPath

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.osutil import relative_uri

from docs.site import translations
from docs.site.translations import DOCS, HOME, Status

CHINESE = "zh_CN"
_TO_THE_OTHER = re.compile(r"^\[(?:简体中文|English)\]\([^)]*\)\n\n?", re.MULTILINE)
_ROW = re.compile(r"^\| (\[.*?\)) \|", re.MULTILINE)
_BANNERS = {
    Status.MISSING: "```{note}\n本页尚未翻译，以下为英文原文。\n```",
    Status.STALE: "```{warning}\n英文原文在翻译之后有所改动，本页可能已经过时。\n```",
}


def sections(text: str) -> list[tuple[str, dict[str, str]]]:
    """The parts of docs/README.md: each heading, with the pages in the first column of its table and their titles."""
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, table = part.partition("\n")
        links = (link for row in _ROW.findall(table) for link in re.findall(r"\[([^\]]+)\]\(([\w/-]+)\.md\)", row))
        found.append((heading, {page: title for title, page in links}))
    return found


def _contents(chinese: bool) -> str:
    """The lists of pages that the site's navigation shows."""
    listed = sections((DOCS / "README.md").read_text(encoding="utf-8"))
    captions, titles = [caption for caption, _ in listed], {}
    if chinese:
        translated = sections(translations.translation("README").read_text(encoding="utf-8"))
        captions[: len(translated)] = [caption for caption, _ in translated]
        titles = {page: title for _, pages in translated for page, title in pages.items()}
    lists = "".join(
        f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n"
        + "".join(f"{titles.get(page, title)} <{page}>\n" for page, title in pages.items())
        + "```\n\n"
        for caption, (_, pages) in zip(captions, listed, strict=True)
        if pages
    )
    return f"\n\n```{{toctree}}\n:hidden:\n\nREADME\n```\n\n{lists}"


def _of_home(text: str) -> str:
    """README.md's text with links as from within docs."""
    text = re.sub(r"\]\((?!https?:|#|docs/)", "](../", text)
    return text.replace("](docs/", "](")


def text_for_site(name: str, text: str, language: str) -> str:
    """The text of a page as the site of that language shows it."""
    chinese = language == CHINESE
    translated = translations.status(name) is not Status.MISSING
    if chinese and translated:
        text = translations.translation(name).read_text(encoding="utf-8")
    elif name == HOME:
        text = _of_home(translations.original(HOME).read_text(encoding="utf-8"))
    text = _TO_THE_OTHER.sub("", text)
    text = translations.DIAGRAM.sub("![](diagram/overview.svg)", text)
    text = re.sub(r"\]\((?:\.\./)*README\.md([#)])", r"](/index.md\1", text) if name != HOME else text
    text = re.sub(r"(\]\([\w./-]+)\.zh-CN\.md", r"\1.md", text)
    text = re.sub(r"\[([^\]]+)\]\(((?:\.\./)+(?:agentcp_fsm|tests)/[\w./-]+\.md)\)", r"{download}`\1 <\2>`", text)
    text = re.sub(r'<a id="([\w-]+)"></a>', r"[]{#\1}", text)
    if chinese and (banner := _BANNERS.get(translations.status(name))):
        heading, _, rest = text.partition("\n\n")
        text = f"{heading}\n\n{banner}\n\n{rest}"
    if name == HOME:
        text += _contents(chinese)
    return text


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    for path in (translations.original(name), translations.translation(name), DOCS / "README.md"):
        app.env.note_dependency(str(path))
    source[0] = text_for_site(name, source[0], app.config.language)


class OpenedPages(SphinxPostTransform):
    """Web pages of ours, such as the interactive one, are opened and not downloaded."""

    default_priority = 5

    def run(self, **_: object) -> None:
        """Put a link to the copy in the place of each download."""
        here = self.app.builder.get_target_uri(self.env.docname)
        for node in list(self.document.findall(download_reference)):
            target = PurePosixPath(node["reftarget"].removeprefix("/"))
            if target.suffix == ".html":
                uri = relative_uri(here, target.name)
                node.replace_self(nodes.reference("", "", *node.children, internal=True, refuri=uri))


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx use what is above."""
    app.connect("source-read", _read)
    app.add_post_transform(OpenedPages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
