"""A take played once more, from what the musician did: the same notes, and another sound where that is asked for.

Runs on: main process (`algoritmo render SESSION`), one thread. The classes are those of the stage; what they are told comes
from the tapes of the take. The network goes first, and the sound is rendered as far as the network had heard.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.app.band_again import BandAgain
from engine.app.comparison import Comparison
from engine.app.offline_hosts import LONGEST_BLOCK_S, OfflineHosts
from engine.app.once_more import BandTold, DivergedError, Life, SoundTold, TapeEndError, lives
from engine.app.places import Places
from engine.app.plugins import names_plugins
from engine.app.report import versions, write_json
from engine.audio import intake as sound_intake
from engine.audio.engine import AudioEngine
from engine.core import contract
from engine.core.config import error_of
from engine.core.ensemble import Part, as_part, parts_of, together
from engine.core.errors import SessionError
from engine.core.held import cut
from engine.core.link import Layout, Link, Writer
from engine.core.messages import CLOCK
from engine.core.parameters import Live
from engine.core.process import Spec
from engine.core.tape import TAPES
from engine.feed.feed import Feed, Positions
from engine.feed.schema import Schema
from engine.host.exchange import SIZE as EXCHANGE
from engine.jam import intake as band_intake
from engine.jam.parameters import registry_of
from engine.jam.seats import Seat
from engine.jam.settings import faults, set_defaults
from engine.midi.file_source import FileSource
from engine.network.runner import Runner, present
from engine.record.made_with import Made
from engine.record.made_with import read as read_made
from engine.record.session import Recorder
from engine.record.tape_file import FILE, read_tapes

DRAIN_BLOCKS = 1024
NETWORK_FILE = "put it back there, or take another folder"


class TakeRender:
    """One take, from beginning to end: `run()`."""

    def __init__(self, folder: Path, out: Path, settings: list[str]) -> None:
        """Read what there is. Raises AlgoritmoError."""
        self.made = made = read_made(folder, settings)
        tapes = read_tapes(folder / FILE)
        self.remarks = _remarks(made) + ([f"{tapes.lost} records of the tape were lost: it ends there"] if tapes.lost else [])
        self._lives = {tape: lives(tapes.records[tape]) for tape in TAPES}
        if not self._lives["audio"]:
            raise SessionError(f"{folder / FILE}: holds nothing: the jam was ended before it sounded")
        self._end = tapes.frame
        paths = made.network_paths(NETWORK_FILE)
        self._parts = parts_of(paths)
        self._card = together([part.card for part in self._parts])
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / "controllers.toml").write_text(made.controllers)
        except OSError as error:
            raise SessionError(f"--out: {out} cannot be made ({error.strerror}); give a folder you may write") from error
        midi = made.config.midi.model_copy(update={"controllers": out / "controllers.toml"})
        self._config = made.config.model_copy(update={"midi": midi, **_networks(made)})
        if wrong := faults(self._config) if settings else []:
            raise error_of(wrong, None, settings)
        harmony = None
        if made.files["harmony"] is not None:
            harmony = contract.read_card(made.path_of("harmony", NETWORK_FILE))
        self._registry = registry_of(self._card)
        self._hosted = bool(names_plugins(self._config))
        stems = self._config.session.stems
        cards = [part.card for part in self._parts]
        layout = Layout.of(self._card, len(self._registry), harmony, stems, EXCHANGE if self._hosted else 0, cards)
        self.link = Link.create(layout) if self._hosted else Link.private(layout)
        self._hosts: OfflineHosts | None = None
        self._life = contextlib.ExitStack()  # what the audio process of now has begun
        with contextlib.ExitStack() as begun:  # what is let go of, whatever happens from here on
            begun.callback(self.link.close, unlink=True)
            begun.callback(self._end_hosts)
            begun.callback(self._life.close)
            self._spec = Spec(layout, self.link.name, self._config, self._card, paths[0], networks=tuple(paths))
            set_defaults(Live(self._registry, self.link.values), self._config, self._card)
            self._pinned = frozenset(_pinned(settings))
            self._sound: deque[Life] = deque(self._lives["audio"])
            self._rate = self._sound[0].begun.count
            schema = Schema(cards[0], self._registry)
            feed = self.link.view("feed")
            self._recorder = Recorder(
                out, feed, schema, self._rate, lambda _level, text: self.remarks.append(text), whole=self._card
            )
            begun.callback(self._recorder.close)
            self._feed = Feed(feed, schema, self._recorder.log, Positions())
            self._comparison = Comparison(folder, out, self.link, bool(settings))
            self._shown_next: deque[tuple[float, Link, Part, int]] = deque()  # networks, and from which frame and step on
            self._begin_sound()
            self._begun = begun.pop_all()

    # --- the sound ---------------------------------------------------------------------------------------------------------

    def _begin_sound(self) -> None:
        """The audio process begins, for the first time or in the place of one that was killed."""
        life = self._sound[0]
        rate_hz = float(life.begun.count)
        audio = self.link.view("audio")
        if life.begun.size:
            _cut(audio, sound_intake.WRITES, life)
        if rate_hz != self._rate:
            clock = np.zeros(1, CLOCK)
            clock["rate_hz"] = rate_hz
            audio.writer("clock").push(clock[0])
        demo = self.made.files.get("demo")
        source = None
        if demo is not None:
            path = self.made.path_of("demo", "it is what played the keyboard's part")
            source = FileSource(path, rate_hz, timeline=self.link["timeline"], again=True)
        told: list[SoundTold] = []

        def made(link: Link, live: Live) -> SoundTold:
            places = Places(self.made.parameters, live.registry, self._pinned)
            told.append(SoundTold(link, live, life, places, self._hosted))
            return told[0]

        self.engine = AudioEngine(
            audio,
            self._registry,
            self._card,
            self._config,
            rate_hz,
            source,
            run_by_thread=not self._hosted,
            plugins_wait_s=LONGEST_BLOCK_S,
            intake=made,
        )
        self._life.callback(self.engine.close)
        self._told = told[0]
        self._told.arrivals = self.engine.player.ports.arrivals
        self._told.on_close = self.engine.release_all
        self._told.on_take = self._build
        if self._hosted:
            if self._hosts is None:
                self._hosts = OfflineHosts(self.link, self._spec, self.engine)
            self._hosts.engine = self.engine  # as on the stage, the plugins themselves are those of before
            self.remarks += self._hosts.wait_loaded()
        if life.begun.size:
            last = np.zeros(1, CLOCK)
            last["frame"] = int(life.begun.value)
            self.engine.resume(last[0], audio["events"].reader(0).read())

    def _build(self) -> None:
        """Something that was built was taken in now: build it."""
        worker = self.engine.worker
        while not worker.replies and worker.run_pending():
            continue
        if not worker.replies and not self._hosted:  # beside plugins all is built at once, and was taken in already
            self.remarks.append("an instrument was loaded anew as its file was saved; here it is as it is by now")

    def _is_over(self) -> bool:
        """Whether the audio process rendered no more, in this life."""
        if len(self._sound) > 1:
            return self.link["wave"].count >= self._sound[1].lengths[sound_intake.WRITES.index("wave")]
        return self.engine.frame >= self._end

    def _next_block(self) -> bool:
        """Render a block, where it can be; return whether it could."""
        while self._is_over():
            if len(self._sound) == 1:
                return False
            self._render_what_was_cut_off()
            self.engine.worker.keep_learned()
            self._life.close()
            self._sound.popleft()
            self._begin_sound()
            self._account()
        while (frame := self._told.catches_up(self.engine.frame)) is not None:
            self.engine.go_on_at(int(frame), float(self._sound[0].begun.count))
        notes, yields = self._told.needs(self.engine.frame)
        if notes > self.link["notes"].count or yields > self.link["yields"].count:
            return False
        self.engine.render_block()
        if self._hosts is not None:
            self._hosts.look_after()
        if self.link["wave"].count % DRAIN_BLOCKS == 0:
            self._account()
        return True

    def _render_what_was_cut_off(self) -> None:
        """A block that was being rendered when it was killed: what had begun to sound in it was told."""
        lengths = dict(zip(sound_intake.WRITES, self._sound[1].lengths, strict=True))
        if any(self.link[name].count < lengths[name] for name in ("events", "timeline")):
            self.engine.render_block()

    def _render_for(self, events: int, lines: int, switched: int, frame: float) -> None:
        """Render until so much was heard of the sound, and on to about `frame` where that needs nothing of the network."""
        wanted = {"events": events, "timeline": lines, "switched": switched}
        while any(self.link[name].count < count for name, count in wanted.items()):
            if not self._next_block():
                raise (
                    TapeEndError
                    if self._is_over()
                    else DivergedError(f"frame {self.engine.frame}: the network sent less than in the take")
                )
        while self.engine.frame < frame - self._rate and self._next_block():
            continue

    def _account(self) -> None:
        self._publish()
        self._comparison.hear()
        self._recorder.drain()

    # --- the band ----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Play all of it."""
        with self._begun:
            try:
                for life in self._lives["network"]:
                    self._play(life)
                while self._next_block():
                    continue
                if not self._is_over():
                    self.remarks.append("the network sent less than in the take")
            except DivergedError as error:
                self.remarks.append(f"the take could not be played as it was to its end: {error}")
            finally:
                self._account()

    def _play(self, life: Life) -> None:
        link = self.link.view("network")
        if life.begun.size:
            _cut(link, band_intake.written(link), life)
        provider = life.words if life.words in present() else "cpu"
        if provider != life.words:
            self.remarks.append(f"the network was computed on {life.words}, which is not here: cpu")

        def load(part: Part) -> Runner:
            return Runner(part.path, provider, self._config.network.threads)

        try:
            told = BandTold(link, self._registry, life, self.made.parameters, self._render_for)
            number, rate_hz = life.begun.place, float(life.begun.count)
            band = BandAgain(self._config, self._parts, number, load, told, rate_hz, self._show)

            def played() -> None:
                band.keep()
                self._publish()

            told.on_step = played
            if life.begun.size:
                band.take_over()
            band.run()
        except TapeEndError:
            return

    def _show(self, seat: Seat, frame: float) -> None:
        """Another network plays from a frame on."""
        link = as_part(self.link.view("feed"), seat.part)
        self._shown_next.append((frame, link, seat.part, link["steps"].count))

    def _publish(self) -> None:
        """Publish what has sounded; as on the stage the file of the feed has the first network alone."""
        while self._shown_next and self._shown_next[0][0] <= self.engine.frame:
            frame, link, part, first = self._shown_next.popleft()
            self._feed.advance(frame)
            self._feed.adopt(link, Schema(part.card, self._registry), first, part.heard, records=part.number == 0)
        self._feed.advance(self.engine.frame)

    def _end_hosts(self) -> None:
        if self._hosts is not None:
            self._hosts.close()

    def report(self) -> dict[str, Any]:
        """What came of it, beside what was recorded."""
        return self._comparison.report() | {
            "rate_hz": self._rate,
            "remarks": self.remarks,
            "engine": self.made.engine,
            "versions": versions(),
        }


_APART = ("learned", "hosts")  # written by the control thread, when it comes to it: nobody's sound is counted by them


def _cut(link: Link, names: Sequence[str], life: Life) -> None:
    """Let go of what the process that was killed here had no time for."""
    for name, length in zip(names, life.lengths, strict=True):
        if name in link:
            ring: Writer = link.writer(name)
            if ring.count < length and name not in _APART:
                raise DivergedError(f"{name}: {ring.count} records, and {length} in the take")
            cut(ring, length)


def _networks(made: Made) -> dict[str, Any]:
    """The sections of the configuration that name networks, with the paths of their files."""
    first, *others = (about["path"] for about in made.networks)
    names = {"name": first}
    if made.files["harmony"] is not None:
        names["harmony"] = made.files["harmony"]["path"]
    return {
        "network": made.config.network.model_copy(update=names),
        "scenes": made.config.scenes.model_copy(update={"networks": tuple(others)}),
    }


def _pinned(settings: list[str]) -> list[str]:
    """The parameters that are not to be moved as in the take, for they were set for this time."""
    keys = [setting.partition("=")[0].strip() for setting in settings]
    found = [key.removeprefix("parameters.") for key in keys if key.startswith("parameters.")]
    return found + [f"{key.removeprefix('patches.')}.patch" for key in keys if key.startswith("patches.")]


def _remarks(made: Made) -> list[str]:
    """What is not as it was when the take was recorded."""
    now = versions()
    found = [
        f"recorded with {name} {was}, and this is {now.get(name, 'none')}: the notes may be others"
        for name, was in made.versions.items()
        if name in ("algoritmo", "onnxruntime", "numpy", "pyo") and now.get(name) != was
    ]
    for path, what in made.other_networks().items():
        found.append(f"the {what} ({path}) is another than the take was made with: the notes will be others")
    if others := made.other_patches():
        found.append(f"other patches than the take was made with: {', '.join(others)}; the sound may be another")
    return found


def render_take(folder: Path, out: Path, settings: list[str]) -> dict[str, Any]:
    """Play the take in a session's folder once more, into `out`; return the report, which is written there too.

    `settings` (KEY=VALUE) change its sound. Raises AlgoritmoError.
    """
    if out.resolve() == folder.resolve():
        raise SessionError(f"--out: {out} holds the take itself; give another folder")
    take = TakeRender(folder, out, settings)
    take.run()
    report = take.report()
    try:
        write_json(out / "report.json", report)
    except OSError as error:
        raise SessionError(f"{out / 'report.json'}: cannot be written ({error.strerror})") from error
    return report


def default_out(folder: Path) -> Path:
    """Where a take goes that is played once more."""
    return folder.resolve().with_name(f"{folder.resolve().name}-again")


def summary(report: dict[str, Any], out: Path) -> Iterator[str]:
    """Yield what a person is told of it."""
    yield from report["remarks"]
    notes = sum(report["notes"].values())
    if report["same_notes"] is None:
        yield f"{out}: {notes} notes; nothing was recorded that they could be held against"
    elif report["same_notes"]:
        yield f"{out}: {notes} notes, every one as it was played"
    else:
        recorded = sum(report["notes_recorded"].values())
        yield f"{out}: {notes} notes, {recorded} in the take; they part at frame {report['first_other_frame']}"
    if report["same_sound"]:
        yield "the sound is that of the take, sample for sample"
    elif report["same_sound"] is False:
        where = report["first_other_sample"] / report["rate_hz"]
        yield f"the sound is another from {where:.3f} s on, by {report['most_off']:.2g} of full scale at most"
