"""QR codes as SVG inside a page."""

from __future__ import annotations

import segno
from markupsafe import Markup

__all__ = ["qr_svg"]


def qr_svg(text: str) -> Markup:
    """Return a QR code of `text`, dark on white whatever the page's colours are: phones need it."""
    made = segno.make(text, error="m", micro=False)
    return Markup(  # noqa: S704 - numbers and paths of the library's own, none of `text`
        made.svg_inline(
            omitsize=True, border=3, dark="#000", light="#fff", svgclass="qr", lineclass=None
        )
    )
