"""Takes the README's picture of the looks: the demonstration's player, rendered with two networks, one tile for each look.

    python tests/web/take_art_pictures.py             # into engine/web/pictures/art.png

Needs Chromium, as `algoritmo film` does.
"""

# ruff: noqa: E402  (runs from anywhere)

from __future__ import annotations

import argparse
import base64
import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.app.film import Messages, Wish, opened_page
from engine.record.feed_file import FeedReader
from engine.record.session import feed_path
from engine.web.frames import Encoder

OUT = ROOT / "engine" / "web" / "pictures" / "art.png"
DEMO = ROOT / "engine" / "app" / "demo.mid"
TILE, GAP, COLUMNS, COLOURS = (636, 358), 8, 2, 255
# Network, look, palette.
TILES = (
    ("biaxial", "snapshot", "stage"),
    ("festival", "alike", "stage"),
    ("festival", "flow", "stage"),
    ("festival", "trails", "stage"),
    ("festival", "orbit", "stage"),
    ("festival", "snapshot", "ember"),
)
BEFORE_S, HZ = 6.0, 30  # that a look is drawn before its picture is taken


def main() -> None:
    """Render, draw, put together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", type=float, default=36.0, help="moment of the music, seconds")
    arguments = parser.parse_args()
    rows = -(-len(TILES) // COLUMNS)
    out = Image.new("RGB", (COLUMNS * (TILE[0] + GAP) - GAP, rows * (TILE[1] + GAP) - GAP))
    with tempfile.TemporaryDirectory() as name:
        for network in dict.fromkeys(network for network, *_ in TILES):
            words = [sys.executable, "-m", "engine.cli", "render", DEMO, "--out", Path(name) / network]
            words += ["--set", f'network.name="{network}"']
            subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        for number, (network, look, palette) in enumerate(TILES):
            picture = drawn(Path(name) / network, look, palette, arguments.at)
            place = (number % COLUMNS * (TILE[0] + GAP), number // COLUMNS * (TILE[1] + GAP))
            out.paste(picture.resize(TILE, Image.Resampling.LANCZOS), place)
    out.quantize(COLOURS, dither=Image.Dither.NONE).save(OUT, optimize=True)


def drawn(session: Path, look: str, palette: str, at_s: float) -> Image.Image:
    """A look of a session at a moment, after the seconds before it."""
    wish = Wish(look, address=(("palette", palette),))
    with FeedReader(feed_path(session)) as reader, opened_page(wish, reader.card) as page:
        messages = Messages(reader, Encoder(reader.card))
        for number in range(round((at_s - BEFORE_S) * HZ), round(at_s * HZ)):
            page.evaluate("messages => art.take(messages)", messages.until(number / HZ))
            page.evaluate("now => art.draw(now)", 1000 * number / HZ)
        data = page.evaluate("now => art.picture(now, 'image/png', 1)", 1000 * at_s)
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


if __name__ == "__main__":
    main()
