"""The stage page's messages: each step as it sounds goes to every browser, and what they want comes back.

Runs on: feed process, event loop thread.

On the WebSocket `/stage/socket?fmt=u8|f32&fps=30&smooth=60&raw=1&levels=0`, all of it optional (`levels=0`: without what is
measured of the sound; `/socket` is the same):

| to the browser | what |
|---|---|
| JSON `hello` | once: card, layout of the values, parameters and their values, whether it may change anything |
| JSON `parameters` | which parameters there are now, when some have come or gone: as `hello` tells them (Parameter.describe) |
| JSON `values` | parameters that were changed, from anywhere |
| JSON `status` | twice a second: how it goes |
| JSON `allowed` | the answer to a token |
| JSON `chords` | names of the chord that is `heard`, `expected` a beat later and `played` by the band, as they sound |
| JSON `music` | to who asks for `smooth`: the music in `words`, by address, when some of them change |
| JSON `chart` | what is played by: `text`, `bars`, `origin`, quarters of a `bar`, `loop_bars` of another loop that he plays |
| JSON `refused` | a chart that cannot be read: `text` says what is wrong |
| JSON `scenes` | the set: `names`, `now` and `next` (numbers from 1, 0: none), the bar where that `begins`, `other`, `undo` |
| JSON `takeover` | where a MIDI control stands: `id` of its parameter, shares `at` and `to` of both, and whether it `waits` |
| JSON `rack` | what stands in the rack: `places`, and what can be put there: `effects`, `plugins` |
| JSON `learned` | a MIDI control was learned: `id`, `port`, `channel`, `control`, and what it moved `before` |
| JSON `said` | an order was turned down or its value clamped: `id` and `text`; a wrong id with the one that is like it |
| binary | steps as they sound, notes as they begin and end, imagined futures, sound, the smooth tiers: see frames.py |

| from the browser (JSON) | what |
|---|---|
| `{"set": {"tempo": 120}}` | parameters |
| `{"fire": "panic"}` | a trigger |
| `{"transport": "start"}` | start, stop, continue, pause, rewind, tap |
| `{"chart": "| C | G7 | Am F |"}` | play by these chords; an empty text: by ear again |
| `{"scene": "next"}` | next, previous, undo, ab; `{"scene": 3}`: go to that one; `{"keep": 3}`: keep what is now there |
| `{"learn": "lead.level"}` | the MIDI control that is moved next moves this parameter; empty: none |
| `{"rack": {"do": "add", "where": "bass", "effect": "delay"}}` | `add`; `remove` that of a `word`, or `move` it `by` 1, -1 |
| `{"midi": [144, 60, 100]}` | a short channel message: note on or off, control, pressure, pitch bend |
| `{"sound": true}` | send the sound as well, or no longer |
| `{"token": "..."}` | may it change things, where the page is open to the network |
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engine import __version__
from engine.control.commands import Commands
from engine.control.scene_view import scene_view
from engine.control.status import MOST_STANDING, snapshot
from engine.core.care import EVERY
from engine.core.contract import Card
from engine.core.link import Link, Reader
from engine.core.messages import CHORD, NEXT_CHORD, PLAYED_CHORD
from engine.core.parameters import SCENE_WORDS
from engine.jam.chords import of_code
from engine.jam.modes import CLASSES, MODES
from engine.transport.timeline import TimelineReader
from engine.web import frames
from engine.web.charts import chart_of
from engine.web.client import Client, finite, refuse_constant
from engine.web.frames import Encoder, Format
from engine.web.keyboards import Keyboards, valid
from engine.web.pages import Around
from engine.web.rack_view import RackView
from engine.web.smooth import Smooth

FPS = 60.0  # frames a second for who does not ask for another rate, and the most
WATCH_S = 0.05  # how often, while somebody looks, the parameters are compared with what he was told
STATUS_S = 0.5
SOUND_S = 0.02  # how often, while somebody listens, sound is sent
PAST_BYTES = 4_000_000  # of earlier steps sent to a page that opens
LONGEST_REFUSAL = 1200  # characters of what is said of a chart
CHORDS = {CHORD: "heard", NEXT_CHORD: "expected", PLAYED_CHORD: "played"}  # by the kind of the EVENT
LARGE = 20_000  # values a step above which a page that does not say gets u8


class Stage:
    """The stage page and all who look at it."""

    def __init__(self, around: Around) -> None:
        self.recorded = around.recorded
        self._has_sound = around.sound
        self.card = around.card
        self.guard = around.guard
        self.clients: dict[int, Client] = {}
        self._link, self._live = around.link, around.live
        self._commands = Commands(around.live, around.link)
        self._timeline = TimelineReader(around.link["timeline"])
        self._encoder = Encoder(around.card)
        self._smooth = Smooth(around.audience) if around.audience is not None else None
        self._keyboards = Keyboards(around.link.writer("keys"))
        self._numbers = itertools.count(1)
        self._watch: asyncio.Task[None] | None = None
        self._sound: asyncio.Task[None] | None = None
        self._told = around.live.snapshot()  # values of the parameters as every browser knows them
        self._generation = around.live.generation  # of the parameters that they know
        jam = snapshot(around.link, around.live).chords
        self._chords = {"heard": jam.heard, "expected": jam.expected, "played": jam.played}  # as they sounded last
        self._charts_told = around.link["chart"].count
        self._learned = around.link["learned"].reader()
        self._scenes_told = 0
        self._standing = around.link["takeover"].reader()
        self._rack = RackView(around.link)
        self._last: int | None = None  # number of the step that sounded last

    def adopt(self, link: Link, card: Card) -> None:
        """Show another network from here on."""
        self._link, self.card, self._encoder, self._last = link, card, Encoder(card), None
        for client in self.clients.values():
            client.forget()
            client.tell("hello", **self._hello(client))

    # What sounded, on its way to the browsers.

    def step(self, record: np.void) -> None:
        """Give a step that sounds now to every browser: encoded once for each format that somebody wants."""
        self._last = int(record["step"])
        if self._last % EVERY and self._link.spares("page"):
            return
        now_s = time.monotonic()
        ready: dict[Format, bytes] = {}
        for client in self.clients.values():
            if not client.wants_frame(now_s):
                continue
            if client.fmt not in ready:
                ready[client.fmt] = self._encoder.step(record, client.fmt)
            client.show(ready[client.fmt], self._last, now_s)

    def notes(self, events: np.ndarray) -> None:
        """Give EVENT records of what began or ended to sound to every browser."""
        if not len(events):
            return
        self._hear_chords(events)
        if not self.clients:
            return
        line = self._timeline.now()
        packed = [frames.note(e, line.place(line.beat_at(float(e["frame"]))) if line else 0.0) for e in events]
        for client in self.clients.values():
            client.add_notes(packed)

    def _hear_chords(self, events: np.ndarray) -> None:
        told = events[np.isin(events["kind"], list(CHORDS))]
        for kind, root, quality in told[["kind", "pitch", "velocity"]].tolist():
            of = of_code(root, quality)
            self._chords[CHORDS[kind]] = "" if of is None else of.name
        if len(told):
            for client in self.clients.values():
                client.tell("chords", **self._chords)

    def futures(self, record: np.void) -> None:
        """Give what may follow the step that sounds to every browser."""
        if self.clients:
            packed = frames.futures(record)
            for client in self.clients.values():
                client.imagine(packed)

    def _past(self, fmt: Format) -> Iterator[tuple[int, bytes]]:
        """Return the steps that sounded before, oldest first, as many as are still there and not too much to send."""
        ring = self._link["steps"]
        most = min(ring.capacity - 1, PAST_BYTES // (self._encoder.size * (1 if fmt == "u8" else 4)))
        return self._encode_past(ring.reader(max(ring.count - most, 0)), fmt, 0 if self._last is None else most)

    def _encode_past(self, reader: Reader, fmt: Format, most: int) -> Iterator[tuple[int, bytes]]:
        # What sounds while the past is on its way belongs to it too, so that there is no gap; but there is an end to it.
        for _ in range(most):
            records = reader.read(1)
            if not len(records) or self._last is None or int(records[0]["step"]) > self._last:  # chosen, but not yet heard
                return
            yield int(records[0]["step"]), self._encoder.step(records[0], fmt, frames.PAST)

    # Who looks.

    def join(self, query: Mapping[str, str], address: str = "") -> Client:  # noqa: ARG002  (as the protocol has it)
        """Take in a browser: `fmt` and `fps` of its query say what it takes."""
        fmt = _format(query.get("fmt")) or ("u8" if self._encoder.size > LARGE else "f32")
        client = Client(next(self._numbers), fmt, _fps(query.get("fps")), self.guard.open_to_all and not self.recorded)
        if self._smooth is not None:
            self._smooth.join(client, query)
        client.tell("hello", **self._hello(client))
        client.past = self._past(fmt)
        self.clients[client.number] = client
        if self._watch is None:
            self._told, self._generation = self._live.snapshot(), self._live.generation
            self._learned = self._link["learned"].reader()
            self._standing = self._link["takeover"].reader()
            self._watch = asyncio.get_running_loop().create_task(self._watch_values())
        return client

    def leave(self, client: Client) -> None:
        """Let a browser go; the keys it held are let go with it."""
        self.clients.pop(client.number, None)
        if self._smooth is not None:
            self._smooth.leave(client)
        self._keyboards.vanish(client.number)
        client.listens = False
        if not self.clients and self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _hello(self, client: Client) -> dict[str, Any]:
        clock = self._link["clock"].latest()
        return {
            "version": __version__,
            "card": self.card.model_dump(mode="json"),
            "layout": self._encoder.layout(),
            "format": client.fmt,
            "modes": MODES,
            "turns": [mode.name for mode in CLASSES if mode.takes_turns],
            "parameters": [p.describe() for p in self._live.registry],
            "values": {p.id: self._live.get(p.id) for p in self._live.registry},
            "may_change": client.may_change,
            "smooth": self._smooth.layout() if self._smooth is not None and client.smooth_hz else None,
            "chords": dict(self._chords),
            "chart": chart_of(self._link, self._timeline),
            "scenes": self._scenes(),
            "rack": self._rack.told(),
            "recorded": self.recorded,
            "rate_hz": float(clock["rate_hz"]) if clock is not None and self._has_sound else 0.0,
        }

    async def _watch_values(self) -> None:
        """While somebody looks: tell everyone what was changed from anywhere, and how it goes."""
        status_s = 0.0
        while True:
            self._tell_changes()
            if (now_s := time.monotonic()) >= status_s:
                status_s = now_s + STATUS_S
                status = self._status()
                for client in self.clients.values():
                    client.tell("status", **status)
            await asyncio.sleep(WATCH_S)

    def _scenes(self) -> dict[str, Any]:
        view, line = scene_view(self._link), self._timeline.now()
        bar = None
        if view.next and line is not None and math.isfinite(view.begins):
            bar = math.floor(line.place(view.begins) / line.beats_per_bar + 1e-6) + 1
        return {**view.told(), "begins": bar}

    def _tell_changes(self) -> None:
        if (scenes := self._link["scenes"].count) != self._scenes_told:
            self._scenes_told = scenes
            for client in self.clients.values():
                client.tell("scenes", **self._scenes())
        if self._link["chart"].count != self._charts_told:
            self._charts_told = self._link["chart"].count
            for client in self.clients.values():
                client.tell("chart", **chart_of(self._link, self._timeline))
        if self._rack.is_new:
            rack = self._rack.told()
            for client in self.clients.values():
                client.tell("rack", **rack)
        for record in self._learned.read() if self._learned.is_behind() else ():
            words = {name: record[name].decode(errors="replace") for name in ("id", "port", "control", "before")}
            for client in self.clients.values():
                client.tell("learned", channel=int(record["channel"]), **words)
        for record in self._standing.read()[-MOST_STANDING:] if self._standing.is_behind() else ():
            at, to = round(float(record["at"]), 4), round(float(record["to"]), 4)
            for client in self.clients.values():
                client.tell("takeover", id=record["id"].decode(errors="replace"), at=at, to=to, waits=bool(record["waits"]))
        values = self._live.snapshot()
        if self._live.generation != self._generation:
            self._generation = self._live.generation
            parameters = [p.describe() for p in self._live.registry]
            for client in self.clients.values():
                client.tell("parameters", parameters=parameters)
        changed = {name: value for name, value in values.items() if self._told.get(name) != value}
        self._told = values
        if changed:
            for client in self.clients.values():
                client.tell("values", values=changed)

    def _status(self) -> dict[str, Any]:
        jam = snapshot(self._link, self._live)
        out: dict[str, Any] = {"clients": len(self.clients), "mode": jam.mode, "doing": jam.doing}
        out |= {"spared": jam.care.spared, "ailing": jam.care.ailing}
        out["clock"] = {
            "source": jam.beat.source,
            "locked": jam.beat.locked,
            "waits": jam.beat.waits,
            "sure": jam.beat.confidence,
            "peers": jam.beat.peers,
        }
        if (clock := jam.beat.followed) is not None:
            out["clock"] |= {"there": clock.there, "jitter_ms": clock.jitter_ms, "offset_ms": clock.offset_ms}
        if (place := jam.place) is not None:
            out |= {"playing": place.playing, "bar": place.bar, "beat": place.beat}
        if (sound := jam.sound) is not None:
            out |= {"dsp": finite(sound.dsp_mean), "xruns": sound.xruns, "device_lost": sound.device_lost}
        if (network := jam.network) is not None:
            out |= {
                "steps": network.steps,
                "late_steps": network.late_steps,
                "step_p50_ms": finite(network.step_ms.p50),
                "step_p99_ms": finite(network.step_ms.p99),
                "listening": network.listening,
                "provider": network.provider,
            }
        return out

    # What they want.

    def order(self, client: Client, text: str) -> None:
        """Take one message of a browser; what is malformed, too much or not allowed changes nothing."""
        if not client.messages.take(time.monotonic()):
            return
        try:
            order = json.loads(text, parse_constant=refuse_constant)
        except (ValueError, RecursionError):
            return
        if not isinstance(order, dict):
            return
        if "token" in order:
            self._try_token(client, order["token"])
        if "sound" in order:
            self._listen(client, order["sound"] is True)
        if not client.may_change:
            return
        if isinstance(changes := order.get("set"), dict):
            for name, value in itertools.islice(changes.items(), len(self._live.registry)):
                # A trigger is pulled, never set; words are for people, a page sends numbers.
                if isinstance(value, bool | int | float) and not self._is_trigger(name):
                    self._order(client, "set", name, value)
        if isinstance(name := order.get("fire"), str):
            self._order(client, "trigger", name)
        if isinstance(word := order.get("transport"), str):
            self._order(client, "transport", word)
        if isinstance(which := order.get("scene"), int | str):
            word = which if isinstance(which, str) and which in SCENE_WORDS else "go"
            self._order(client, "scene", word, None if word != "go" else which)
        if isinstance(number := order.get("keep"), int):
            self._order(client, "scene", "keep", number)
        if isinstance(name := order.get("learn"), str):
            self._order(client, "learn", name)
        if isinstance(rack := order.get("rack"), dict):
            self._order(client, "rack", str(rack.get("where", ""))[:64], rack)
        if "chart" in order:
            self._play_by(client, order["chart"])
        if (message := valid(order.get("midi"))) is not None:
            self._keyboards.play(client.number, message)

    def _try_token(self, client: Client, token: object) -> None:
        if client.tries.take(time.monotonic()):
            client.may_change = self.guard.token_is_right(token) and not self.recorded
        client.tell("allowed", may_change=client.may_change)

    def _is_trigger(self, name: str) -> bool:
        return name in self._live.registry and self._live.registry[name].kind == "trigger"

    def _order(self, client: Client, kind: str, name: str, value: object = None) -> None:
        """Follow one order of a browser; say so when it was turned down or the value had to be changed."""
        outcome = self._commands.do(kind, name, value, f"page {client.number}")
        if text := self._commands.explain(outcome):
            client.tell("said", id=name[:64], text=text[:200])

    def _play_by(self, client: Client, text: object) -> None:
        """Play by a chart; say what is wrong with one that cannot be read."""
        outcome = self._commands.do("chart", "chart", text, f"page {client.number}")
        if not outcome.is_done:
            client.tell("refused", text=outcome.reason[:LONGEST_REFUSAL])

    def _listen(self, client: Client, wanted: bool) -> None:
        client.listens = wanted
        if wanted and self._sound is None:
            self._sound = asyncio.get_running_loop().create_task(self._send_sound(self._link["wave"].reader()))

    async def _send_sound(self, wave: Reader) -> None:
        """While somebody listens: what goes to the loudspeaker goes to him as well."""
        while listeners := [c for c in self.clients.values() if c.listens]:
            blocks = wave.read()
            if len(blocks):
                piece = frames.sound(blocks["samples"].reshape(-1, 2), int(blocks[0]["frame"]))
                for client in listeners:
                    client.hear(piece)
            await asyncio.sleep(SOUND_S)
        self._sound = None


def page(around: Around) -> Stage:
    """Return the page, as the server asks for it."""
    return Stage(around)


def _format(wanted: str | None) -> Format | None:
    return "u8" if wanted == "u8" else "f32" if wanted == "f32" else None


def _fps(wanted: str | None) -> float:
    try:
        fps = float(wanted or FPS)
    except ValueError:
        return FPS
    return min(max(fps, 1.0), FPS) if fps == fps else FPS
