"""Space-time diagrams of a history: for a terminal, as a picture, and as a page of its own."""

from crdtstore.testing.diagram.page import as_html
from crdtstore.testing.diagram.svg import as_svg
from crdtstore.testing.diagram.text import as_text

__all__ = ["as_html", "as_svg", "as_text"]
