"""The page to draw on: three files by hand, served as they are."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}


def read_page() -> dict[str, tuple[bytes, str]]:
    """Returns the content and the type of each of the page's files by its path on the server."""
    folder = Path(__file__).parent
    return {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}
