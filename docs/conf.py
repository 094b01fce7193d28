"""The site of the documentation: Sphinx with furo and MyST.

One command builds it, without the network, in English and, below ``zh``, in simplified Chinese; a broken link or
reference fails it::

    python -m sphinx -W -n docs build/site
"""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

project = "agentcp-fsm"
author = "the authors of agentcp-fsm"
copyright = author
version = release = version_of("agentcp-fsm")
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "docs.site.pages",
    "docs.site.reference",
    "docs.site.commands",
    "docs.site.languages",
    "docs.site.search",
]
root_doc = "index"
exclude_patterns = ["**/*.zh-CN.md", "*.zh-CN.md", "site/**"]
templates_path = ["site/templates"]
nitpicky = True

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = "agentcp-fsm"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_extra_path = ["diagram/page.html"]
html_js_files = ["site.js"]
html_show_sphinx = False
html_copy_source = False
html_last_updated_fmt = None
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = True
python_use_unqualified_type_names = True
add_module_names = False
default_role = "py:obj"
suppress_warnings = ["ref.python"]  # a docstring's short name, such as Event, that several things have
nitpick_ignore_regex = [
    ("py:obj", r".*"),  # a docstring's `name` may be a parameter: it is a link if it can be one
    ("py:.*", r"(?!agentcp_fsm\.).*"),  # the standard library's and other packages', whose pages need the network
    ("py:class", r"agentcp_fsm\..*\.(M|M_contra|T|\w+Handler)"),  # type variables
    ("py:class", r"agentcp_fsm\..*\._\w+"),
]
