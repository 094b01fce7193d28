"""What is shown to people, in their language: English is the source, the others come from gettext's catalogues.

Log lines, errors of the library and what programs read (``--json``) stay English.
"""

from __future__ import annotations

import gettext
import locale
import os
import sys
from collections.abc import Mapping
from pathlib import Path

DOMAIN = "agentcp_fsm"
FOLDER = Path(__file__).parent / "locale"
LANGUAGES = {"en": "", "zh": "zh_CN"}
"""The languages that can be asked for, and the name of each one's catalogue."""
SIMPLIFIED = ("zh", "zh_cn", "zh_sg", "zh_hans")
"""How a locale's name begins where simplified Chinese is read."""

_present: gettext.NullTranslations = gettext.NullTranslations()


def use(language: str) -> None:
    """Show everything from now on in one of `LANGUAGES`."""
    global _present
    catalogue = LANGUAGES[language]
    _present = gettext.translation(DOMAIN, FOLDER, [catalogue]) if catalogue else gettext.NullTranslations()


def translated(text: str) -> str:
    """Return a text of the catalogues in the present language; English if there is no translation."""
    return _present.gettext(text) if text else text


def marked(text: str) -> str:
    """Return the text as it is: it is in the catalogues, and will be `translated` where it is shown."""
    return text


def preferred(environment: Mapping[str, str] = os.environ) -> str:
    """Return which of `LANGUAGES` the user's locale asks for.

    As gettext has it: LC_ALL, LC_MESSAGES and LANG name the locale, the first that is set; LANGUAGE lists languages by
    preference, unless the locale is C.  Without any of them, Windows is asked.
    """
    set_locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    if set_locale in ("C", "POSIX"):
        return "en"
    wanted = [*environment.get("LANGUAGE", "").split(":"), set_locale or _of_windows()]
    for name in filter(None, wanted):
        plain = name.partition(".")[0].partition("@")[0].lower().replace("-", "_")
        if plain.startswith("en"):
            return "en"
        if plain in SIMPLIFIED or plain.startswith("zh_hans"):
            return "zh"
    return "en"


def _of_windows() -> str:
    """The name of the language in which Windows speaks to its user; empty elsewhere."""
    if sys.platform != "win32":
        return ""
    import ctypes

    return locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
