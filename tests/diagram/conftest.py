"""What all tests of diagrams can ask for."""

from tests.diagram.browser import browser, offline_page

__all__ = ["browser", "offline_page"]
