"""PDF files with text and lines at given positions, on A4."""

from collections.abc import Sequence
from pathlib import Path

_FONTS = " ".join(
    f"/F{number} << /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>"
    for number, name in enumerate(("Helvetica", "Helvetica-Bold", "Courier"), start=1)
)


def text(
    x: float, y: float, said: str, *, bold: bool = False, mono: bool = False, size: float = 10
) -> str:
    """Text with its base line at `y`."""
    said = said.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    font = 3 if mono else 2 if bold else 1
    return f"BT /F{font} {size} Tf {x} {y} Td ({said}) Tj ET"


def sideways(x: float, y: float, said: str, *, size: float = 10) -> str:
    """Text that runs upwards from a point."""
    return f"BT /F1 {size} Tf 0 1 -1 0 {x} {y} Tm ({said}) Tj ET"


def lines(
    x: float, y: float, texts: Sequence[str], *, size: float = 10, step: float = 12
) -> list[str]:
    """Lines of text below each other, the first at `y`."""
    return [text(x, y - step * i, each, size=size) for i, each in enumerate(texts)]


def line(left: float, bottom: float, right: float, top: float) -> str:
    """A line of half a point."""
    return f"0.5 w {left} {bottom} m {right} {top} l S"


def box(left: float, bottom: float, right: float, top: float) -> str:
    """A rectangle's edges."""
    return f"{left} {bottom} {right - left} {top - bottom} re S"


def draw(path: Path, pages: Sequence[Sequence[str]]) -> Path:
    """Write a PDF; each page is what is drawn on it, in that order."""
    first = 3
    kids = " ".join(f"{first + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
    ]
    for at, drawn in enumerate(pages):
        stream = "\n".join(drawn)
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {first + 2 * at + 1} "
            f"0 R /Resources << /Font << {_FONTS} >> >> >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    written, places = "%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(written))
        written += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{location:010} 00000 n \n" for location in places)
    written += (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(written)}\n%%EOF\n"
    )
    path.write_bytes(written.encode("cp1252"))
    return path
