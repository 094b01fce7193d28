"""Fixtures for all tests of diagrams."""

from tests.diagram.browser import browser, offline_page

__all__ = ["browser", "offline_page"]
