"""A canvas for pictures at print size: the program's colours, rectangles of numbers, and words.

Runs on: main process (`algoritmo picture`). Pillow draws; the colours are those of the pages. What is drawn is kept as SVG,
too: words stay words there and lines stay lines, a rectangle of numbers is a small picture whose pixels keep their edges.
"""

from __future__ import annotations

import base64
import io
import json
from functools import cache
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PALETTE = Path(__file__).resolve().parent.parent / "web" / "static" / "lib" / "palette.json"
DPI = 300
TITLE, TEXT, SMALL = 64, 38, 30  # pixels

Map = Literal["diverging", "sequential", "grey"]
Colour = tuple[int, int, int]


@cache
def palette() -> dict[str, Any]:
    """The colours of everything the program draws."""
    return dict(json.loads(PALETTE.read_text()))


def rgb(name: str) -> Colour:
    """Return a colour by its hexadecimal digits, or by its name in the palette."""
    digits = name if name.startswith("#") else str(palette()[name])
    return int(digits[1:3], 16), int(digits[3:5], 16), int(digits[5:7], 16)


def mixed(colour: Colour, ground: Colour, share: float) -> Colour:
    """Return `share` of a colour on a ground, mixed in linear light."""
    parts = [
        (share * (c / 255) ** 2.2 + (1 - share) * (g / 255) ** 2.2) ** (1 / 2.2) for c, g in zip(colour, ground, strict=True)
    ]
    return round(255 * parts[0]), round(255 * parts[1]), round(255 * parts[2])


@cache
def table(name: Map) -> np.ndarray:
    """Return 256 colours of a map from its lowest value to its highest, uint8 (256, 3); mixed in linear light."""
    stops = palette()[name]
    at = np.array([s[0] for s in stops], float)
    colours = (np.array([rgb(s[1]) for s in stops]) / 255) ** 2.2  # (stops, 3)
    where = np.linspace(at[0], at[-1], 256)
    mixed = np.stack([np.interp(where, at, colours[:, c]) for c in range(3)], axis=1)
    return np.round(255 * mixed ** (1 / 2.2)).astype(np.uint8)


def shaded(values: np.ndarray, name: Map, low: float, high: float) -> np.ndarray:
    """Return the colours of numbers between `low` and `high`, uint8 (..., 3)."""
    scaled = np.nan_to_num((values - low) / (high - low))
    return table(name)[np.clip(np.round(255 * scaled), 0, 255).astype(np.uint8)]


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


class Canvas:
    """A picture that is drawn on; places and sizes in pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), rgb("ground"))
        self._draw = ImageDraw.Draw(self.image)
        self._vectors: list[str] = []
        self._vector("rect", {"width": width, "height": height, "fill": _hex(rgb("ground"))})

    def cells(self, x: int, y: int, colours: np.ndarray, cell: tuple[int, int]) -> None:
        """Draw one rectangle for each colour; `colours` uint8 (rows, columns, 3), `cell` width and height of one."""
        rows, columns = colours.shape[:2]
        picture = Image.fromarray(np.ascontiguousarray(colours))
        width, height = columns * cell[0], rows * cell[1]
        self.image.paste(picture.resize((width, height), Image.Resampling.NEAREST), (x, y))
        packed = io.BytesIO()
        picture.save(packed, "PNG")
        data = f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"
        kept = {"preserveAspectRatio": "none", "style": "image-rendering:pixelated", "href": data}
        self._vector("image", {"x": x, "y": y, "width": width, "height": height, **kept})

    def box(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """Draw a filled rectangle."""
        self._draw.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
        self._vector("rect", {"x": x, "y": y, "width": width, "height": height, "fill": _hex(colour)})

    def line(self, points: list[tuple[float, float]], colour: Colour, width: int = 3) -> None:
        """Draw a line through points."""
        self._draw.line(points, fill=colour, width=width, joint="curve")
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = {"fill": "none", "stroke": _hex(colour), "stroke-width": width, "stroke-linejoin": "round"}
        self._vector("polyline", {"points": places, **style})

    def text(self, x: int, y: int, words: str, size: int = TEXT, colour: str = "soft", anchor: str = "la") -> int:
        """Write words; `anchor` as Pillow has it (la: x, y is the top left). Return their width."""
        font = ImageFont.load_default(size)
        self._draw.text((x, y), words, fill=rgb(colour), font=font, anchor=anchor)
        width = round(self._draw.textlength(words, font=font))
        assert isinstance(font, ImageFont.FreeTypeFont)  # the one that Pillow brings, at any size
        ascent, descent = font.getmetrics()
        down = {"a": ascent, "m": (ascent - descent) / 2, "s": 0}[anchor[1]]
        side = {"l": "start", "m": "middle", "r": "end"}[anchor[0]]
        style = {"font-size": size, "fill": _hex(rgb(colour)), "text-anchor": side, "textLength": width}
        self._vector("text", {"x": x, "y": f"{y + down:.1f}", "lengthAdjust": "spacingAndGlyphs", **style}, words)
        return width

    def gradient(self, x: int, y: int, name: Map, low: str, high: str, words: str) -> int:
        """Draw the legend of a map; return the width it takes."""
        colours = table(name)[None, :, :]
        begin = x + self.text(x, y, words, SMALL) + 20
        begin += self.text(begin, y, low, SMALL, "faint") + 12
        self.cells(begin, y + 4, colours, (1, 26))
        begin += 256 + 12
        return begin + self.text(begin, y, high, SMALL, "faint") - x

    def swatch(self, x: int, y: int, colour: Colour, words: str) -> int:
        """Draw the legend of one colour; return the width it takes."""
        self.box(x, y + 4, 26, 26, colour)
        return 38 + self.text(x + 38, y, words, SMALL)

    def save(self, path: Path) -> None:
        """Write the picture: as SVG where the name ends so, else as PNG. Raises OSError."""
        if path.suffix.lower() == ".svg":
            path.write_text(self.svg(), encoding="utf-8")
        else:
            self.image.save(path, "PNG", dpi=(DPI, DPI), optimize=True)

    def svg(self) -> str:
        """Return the picture as SVG; a pixel is a unit, and of the same size on paper."""
        width, height = self.image.size
        inches = f'width="{width / DPI:.3f}in" height="{height / DPI:.3f}in"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {inches} viewBox="0 0 {width} {height}" font-family="sans-serif">'
        return "\n".join((head, *self._vectors, "</svg>\n"))

    def _vector(self, name: str, attributes: dict[str, object], words: str = "") -> None:
        told = " ".join(f"{key}={quoteattr(str(value))}" for key, value in attributes.items())
        self._vectors.append(f"<{name} {told}>{escape(words)}</{name}>" if words else f"<{name} {told}/>")
