"""The site in each language: the build of the English one builds the Chinese one below it."""

import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

from docs.site.pages import CHINESE


def _build_the_other(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html" or app.config.language == CHINESE:
        return
    strict = ["-W", "--keep-going"] if app.warningiserror else []
    command = [sys.executable, "-m", "sphinx", *strict, "-n", "-q", "-D", f"language={CHINESE}"]
    ended = subprocess.run(  # noqa: S603 - Sphinx, on our pages
        [*command, "-d", str(Path(app.doctreedir) / "zh"), str(app.srcdir), str(Path(app.outdir) / "zh")], check=False
    )
    if ended.returncode:
        raise SphinxError("the Chinese site could not be built: see above")


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx use what is above."""
    app.connect("build-finished", _build_the_other)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
