"""Fixtures for all tests of diagrams."""

from tests.diagram.browser import browser, offline_page
from tests.diagram.reader import interpreter, page_file, reader

__all__ = ["browser", "interpreter", "offline_page", "page_file", "reader"]
