"""What becomes of a finger's line, in numbers; run by hand.

python -m tests.booth.drawing_figures page          # from the touch to the sound, in Chromium
python -m tests.booth.drawing_figures jam           # played in a jam: how soon the band goes on with it, in key for four bars?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from playwright.sync_api import sync_playwright

from engine.app import running
from engine.booth.drawing import BARS
from engine.core import contract
from engine.core.config import Config
from engine.core.messages import NOTE_ON, PLAYER
from engine.jam.continuations import SCALE
from engine.store.store import Generation, Store
from engine.transport.timeline import TimelineReader
from tests.booth.stand import Phone, configuration, free_port, served
from tests.booth.swap_figures import attached, jam_with_booth
from tests.store.made_up import clips
from tests.system.rig import need, null_settings, wait_for
from tests.web.chromium import FLAGS, PHONE, until

AFTER_BARS = 4
BEATS = 4  # of a bar


def filled(folder: str) -> str:
    """Return a store with a generation."""
    path = str(Path(folder) / "booth.db")
    with Store(path) as store:
        store.open_generation(store.add_generation(Generation("first", str(Config().network_path())), clips(8)))
    return path


def page(strokes: int) -> dict[str, Any]:
    """Draw in the page: how long from a touch until the sound leaves it, the buffer of the sound's output counted."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=need("chromium", "apt-get install chromium"), args=FLAGS)
        with served(configuration(Config().network_path(), filled(folder), breed=False)) as booth:
            phone = browser.new_context(viewport=PHONE, has_touch=True).new_page()
            phone.goto(f"{booth.url}/booth/?lang=en#draw")
            until(phone, "window.booth?.about && booth.parts")
            box = phone.locator("canvas.sheet").bounding_box()
            assert box is not None
            rng = np.random.default_rng(1)
            for _ in range(strokes):
                heights = np.clip(0.5 + np.cumsum(rng.normal(0, 0.06, 30)), 0.05, 0.95)
                for k, height in enumerate(heights):
                    place = box["x"] + box["width"] * (0.03 + 0.03 * k), box["y"] + box["height"] * (1 - height)
                    phone.mouse.move(*place)
                    if k == 0:
                        phone.mouse.down()
                phone.mouse.up()
                phone.evaluate("booth.parts.draw.clear()")
            times = np.array(phone.evaluate("booth.parts.draw.figures.heard_ms"))
        browser.close()
    return {
        "notes": len(times),
        "median_ms": round(float(np.median(times)), 1),
        "p99_ms": round(float(np.percentile(times, 99)), 1),
    }


def line(rng: np.random.Generator, track: int) -> list[Any]:
    """A finger's line from left to right."""
    heights = np.clip(rng.uniform(0.3, 0.7) + np.cumsum(rng.normal(0, 0.05, 40)), 0, 1)
    return [track, 0.6, [[round(k / 39, 3), round(float(height), 3)] for k, height in enumerate(heights)]]


async def drawn(port: int, link: running.Link, names: list[str], drums: set[int], count: int) -> list[dict[str, Any]]:
    """Send drawings to the stage, one after the other; return what was played of each and after it."""
    rng, timeline, found = np.random.default_rng(1), TimelineReader(link["timeline"]), list[dict[str, Any]]()
    events = link["events"].reader()
    tracks = [at for at in range(len(names)) if at not in drums]
    async with aiohttp.ClientSession() as session:
        for number in range(count):
            async with session.ws_connect(f"http://127.0.0.1:{port}/booth/socket") as ws:
                phone = Phone(ws)
                phone.hello = await phone.hear("hello")
                track = tracks[number % len(tracks)]
                answer = await phone.ask("draw", "drawn", lines=[line(rng, track)], seed=number)
                events.read()
                await phone.say("send", drawing=answer["drawing"])
                said = await phone.hear("stage")
                now, clock = timeline.now(), link["clock"].latest()
                assert now is not None
                assert clock is not None
                soon = now.beat_at(int(clock["frame"]) + said["in_s"] * now.rate_hz)
                bar = now.bar_beat + BEATS * round((soon - now.bar_beat) / BEATS)
                heard: list[tuple[float, int, int]] = []
                end = bar + BEATS * (BARS + AFTER_BARS)
                while True:
                    await asyncio.sleep(0.2)
                    now, clock = timeline.now(), link["clock"].latest()
                    assert now is not None
                    assert clock is not None
                    for event in events.read():
                        if event["kind"] == NOTE_ON:
                            heard.append((now.beat_at(int(event["frame"])), int(event["track"]), int(event["pitch"])))
                    if now.beat_at(int(clock["frame"])) > end + 1:
                        break
            after = bar + BEATS * BARS
            band = [(beat, of, pitch) for beat, of, pitch in heard if of not in drums and of != PLAYER and after <= beat < end]
            inside = [bool(np.roll(SCALE, phone.hello["key"])[pitch % 12]) for _, _, pitch in band]
            mine = [beat for beat, of, _ in band if of == track]
            own = sum(of == PLAYER and bar - 0.1 <= beat < after for beat, of, _ in heard)
            row = {
                "track": names[track],
                "key": phone.hello["key"],
                "drawn": len(answer["drawn"]),
                "played": own,
                "after": len(band),
            }
            row |= {"in_key": round(float(np.mean(inside)), 3), "bars": round((min(mine) - after) / BEATS, 2) if mine else None}
            found.append(row)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
    return found


def jam(count: int) -> dict[str, Any]:
    """Have a jam play drawings; return what it did."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        given = {
            "booth.store": filled(folder),
            "booth.port": port,
            "booth.breed": False,
            "jam.mode": "solo",
            "session.record": False,
        }
        settings = [*(f"{key}={json.dumps(value)}" for key, value in given.items()), *null_settings()]
        said = Path(folder, "said.txt")
        with jam_with_booth(settings, said) as pid:
            link = attached(pid)
            wait_for(lambda: "the booth: http" in said.read_text(), 60, "the booth")
            card = contract.read_card(Config().network_path())
            drums = {at for at, track in enumerate(card.tracks) if track.kind == "drums"}
            rows = asyncio.run(drawn(port, link, [track.name for track in card.tracks], drums, count))
    shares, bars = [row["in_key"] for row in rows], [row["bars"] for row in rows if row["bars"] is not None]
    notes = sum(row["after"] for row in rows)
    all_in = sum(row["in_key"] * row["after"] for row in rows) / notes
    told = {"drawings": count, "in_key": round(all_in, 3), "lowest": min(shares), "notes": notes}
    within = sum(one <= 1 for one in bars)
    return told | {
        "same_track_within_a_bar": f"{within} of {count}",
        "median_bars": float(np.median(bars)),
        "longest_bars": max(bars),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="What becomes of a finger's line.")
    parser.add_argument("what", choices=("page", "jam"))
    parser.add_argument("--count", type=int, default=16)
    args = parser.parse_args()
    sys.stdout.write(json.dumps(page(args.count) if args.what == "page" else jam(args.count)) + "\n")


if __name__ == "__main__":
    main()
