"""Letters that are read from across a room: five lines high, made of blocks.

Runs on: main process.
"""

from __future__ import annotations

HEIGHT = 5
# Three pixels wide; a line each, from the top. Narrower letters have fewer columns.
_FONT = {
    "0": "### #.# #.# #.# ###",
    "1": ".#. ##. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# ### ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# ..# ..# ..#",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    "A": "### #.# ### #.# #.#",
    "B": "##. #.# ##. #.# ##.",
    "C": "### #.. #.. #.. ###",
    "D": "##. #.# #.# #.# ##.",
    "E": "### #.. ##. #.. ###",
    "F": "### #.. ##. #.. #..",
    "G": "### #.. #.# #.# ###",
    "#": "#.# ### #.# ### #.#",
    "b": "#.. #.. ### #.# ###",
    "m": "... ### ### #.# #.#",
    "a": "... ### ..# ### ###",
    "j": "..# ... ..# ..# ##.",
    "d": "..# ..# ### #.# ###",
    "i": "# . # # #",
    "u": "... #.# #.# #.# ###",
    "g": "... ### #.# ### ##.",
    "s": "... ### ##. ..# ###",
    ".": ". . . . #",
    ":": ". # . # .",
    "-": "... ... ### ... ...",
    "/": "..# ..# .#. #.. #..",
    " ": ".. .. .. .. ..",
}
_UNKNOWN = "... ### #.# ### ..."


def width(text: str, pixel: int = 2) -> int:
    """Return how many columns a text takes."""
    return sum(pixel * len(_FONT.get(letter, _UNKNOWN).split()[0]) + pixel for letter in text) - pixel if text else 0


def lines(text: str, pixel: int = 2, block: str = "█") -> list[str]:
    """Return HEIGHT lines that show a text, each letter's pixels so many columns wide."""
    rows = ["" for _ in range(HEIGHT)]
    for letter in text:
        for row, pattern in enumerate(_FONT.get(letter, _UNKNOWN).split()):
            drawn = "".join((block if dot == "#" else " ") * pixel for dot in pattern)
            rows[row] += drawn + " " * pixel
    return [row[: width(text, pixel)] for row in rows]


def fitting(text: str, columns: int, block: str = "█") -> list[str]:
    """Return the text as large as it fits: with wide pixels, with narrow ones, or as it is on the middle line."""
    for pixel in (2, 1):
        if width(text, pixel) <= columns:
            return lines(text, pixel, block)
    return ["", "", text[:columns], "", ""]
