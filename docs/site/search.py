"""The search of the Chinese site: Chinese has no spaces, so pairs of neighbouring characters are the words."""

import re

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

_CHINESE = re.compile(r"[\u4e00-\u9fff]+")


def words_of(text: str) -> list[str]:
    """The words of a text: runs of other letters and digits as they are, Chinese ones in pairs that overlap."""
    found = []
    for word in re.findall(r"[\u4e00-\u9fff]+|[^\W\u4e00-\u9fff]+", text):
        if _CHINESE.fullmatch(word) and len(word) > 2:
            found += [word[at : at + 2] for at in range(len(word) - 1)]
        else:
            found.append(word)
    return found


class SearchChinese(SearchEnglish):
    """Pairs of Chinese characters, and English words with their stems."""

    lang = "zh"
    js_splitter_code = r"""
var splitQuery = (query) =>
  (query.match(/[\u4e00-\u9fff]+|(?:(?![\u4e00-\u9fff])[\p{L}\p{N}_])+/gu) ?? []).flatMap((word) =>
    /[\u4e00-\u9fff]{3}/.test(word) ? [...word].slice(1).map((next, at) => word[at] + next) : [word]);
"""

    def split(self, input: str) -> list[str]:
        """Return the words of a text."""
        return words_of(input)


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx use what is above."""
    app.add_search_language(SearchChinese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
