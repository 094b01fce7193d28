"""The words of the Chinese site's search."""

import pytest

from docs.site.search import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("心跳", ["心跳"]),
        ("心跳服务器", ["心跳", "跳服", "服务", "务器"]),
        ("发送 UDP 心跳", ["发送", "UDP", "心跳"]),
        ("表S8的规则", ["表", "S8", "的规", "规则"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words
