"""The pages of a fax: safe on the disk, and made one PDF at the end.

Loaded by the fax process alone (`fax_worker`), and by its path: nothing of the package is needed.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

__all__ = ["make", "sync"]


def sync(path: Path) -> None:
    """Have a file on the disk: the sender is told that its page has arrived."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def make(files: list[tuple[Path, int]], target: Path) -> int:
    """Make one PDF of what the files hold, and remove them; return how many pages it has.

    A count of -1 takes all the pages there are. No page: no PDF.
    """
    import img2pdf
    import pikepdf

    document = pikepdf.new()
    for path, count in files:
        if count and path.exists() and path.stat().st_size:
            made = io.BytesIO()
            with path.open("rb") as tiff:
                img2pdf.convert(tiff, outputstream=made)  # as it is, no page is coded anew
            pages = pikepdf.open(made).pages
            document.pages.extend(pages if count < 0 else pages[:count])
    count = len(document.pages)
    if count:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}")
        try:
            with temporary.open("wb") as file:
                document.save(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    for path, _ in files:
        path.unlink(missing_ok=True)
    return count
