"""Runs a step graph on many pieces at once: how likely it finds them, what it plays alone, what it plays to a given track.

It plays as the engine does (engine/jam/jam.py): the same noise for the same seed and step, the same encouragement
after a silence, what sounded heard again. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from engine.core.contract import METRE, PLAY, Card, faults, read_card
from engine.core.errors import NetworkError
from engine.jam.following import NEXT, NOW
from engine.jam.patience import encouragement
from engine.jam.progression import Progression
from engine.network.noise import noise
from models.music.representation import channels, from_channels

Array = np.ndarray
BATCH = 16  # pieces side by side; more of them leave the processor's cache


@dataclass(slots=True)
class StepGraph:
    """A network file, opened: its card and its session."""

    card: Card
    session: ort.InferenceSession
    outputs: list[str]

    def begin(self, batch: int, controls: Mapping[str, float] | None = None) -> dict[str, Array]:
        """Inputs of the first step: silence, initial states, nothing dictated; controls neutral where not given.

        Raises NetworkError for a control the network does not have.
        """
        card = self.card
        feed: dict[str, Array] = {
            "x": np.zeros((batch, card.slots, len(card.channels)), np.float32),
            "position": np.zeros(batch, np.int64),
            "u": np.full((batch, card.noise), 0.5, np.float32),
            "temperature": np.ones(batch, np.float32),
            "clamp_mask": np.zeros((batch, card.slots), np.float32),
            "clamp_value": np.zeros((batch, card.slots, len(card.channels)), np.float32),
        }
        known = {"temperature": 1.0} | {c.name: c.neutral for c in card.controls}
        if unknown := sorted((controls or {}).keys() - known.keys()):
            raise NetworkError(f"{card.name} has no control {unknown[0]!r}; it has: {', '.join(known)}")
        feed |= {name: np.full(batch, value, np.float32) for name, value in (known | dict(controls or {})).items()}
        feed |= {c.name: np.zeros((batch, *c.shape), np.float32) for c in card.conditions}
        feed |= {s.name: np.full((batch, *s.shape), s.initial, np.float32) for s in card.states}
        return feed

    def step(self, feed: dict[str, Array]) -> dict[str, Array]:
        """Run one step and move states, position and `x` on in `feed`; returns the outputs by name.

        Raises NetworkError where a likelihood is not a number: the weights are damaged.
        """
        out = dict(zip(self.outputs, self.session.run(self.outputs, feed), strict=True))
        if not np.isfinite(out["log_prob_tracks"]).all():
            where = f"{self.card.name}: the likelihood of step {int(feed['position'][0])} is not a number"
            raise NetworkError(f"{where}: its weights are damaged; export it again")
        for state in self.card.states:
            feed[state.name] = out[f"{state.name}_next"]
        feed["x"] = out["notes"]
        feed["position"] = feed["position"] + 1
        return out


def open_network(path: Path, threads: int = 1) -> StepGraph:
    """Open a step graph on the CPU. Raises NetworkError where it cannot be read or breaks the contract."""
    card = read_card(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own unrelated classes for every kind of fault
        raise NetworkError(f"{path}: onnxruntime cannot load it: {str(error)[:400]}") from error
    wrong = faults(card, session.get_inputs(), session.get_outputs())
    if wrong:
        raise NetworkError(f"{path}: breaks the step graph contract:\n" + "\n".join(f"  - {w}" for w in wrong))
    wanted = ["notes", "log_prob_tracks", *(f"{s.name}_next" for s in card.states)]
    return StepGraph(card, session, wanted)


def dictated(roll: Array, card: Card) -> Array:
    """A roll (steps, slots) as what the graph is told: float32 (steps, slots, channels)."""
    return np.pad(channels(roll), ((0, 0), (0, 0), (0, len(card.channels) - 2)))


def tell_metres(feed: dict[str, Array], metres: Sequence[Sequence[int]]) -> None:
    """Tell the metre of each item of the batch, beats and steps, where the network has an ear for it."""
    if METRE in feed and len(metres):
        feed[METRE][:] = np.asarray(metres, np.float32)


def nats(
    graph: StepGraph, rolls: Sequence[Array], batch: int = BATCH, metres: Sequence[Sequence[int]] | None = None
) -> list[Array]:
    """Return for each roll (steps, slots) its nats, float64 (steps, tracks), everything dictated; `metres` of each roll."""
    order = sorted(range(len(rolls)), key=lambda i: -len(rolls[i]))
    found: list[Array] = [np.zeros((0, len(graph.card.tracks)))] * len(rolls)
    for first in range(0, len(order), batch):
        some = order[first : first + batch]
        told = [metres[i] for i in some] if metres else []
        for index, value in zip(some, _nats_together(graph, [rolls[i] for i in some], told), strict=True):
            found[index] = value
    return found


def _nats_together(graph: StepGraph, rolls: list[Array], metres: Sequence[Sequence[int]]) -> list[Array]:
    """The same for rolls of falling length, side by side; those that have ended leave the batch."""
    feed = graph.begin(len(rolls))
    tell_metres(feed, metres)
    feed["clamp_mask"][:] = 1
    lengths = np.asarray([len(r) for r in rolls])
    told = [dictated(r, graph.card) for r in rolls]
    found = np.zeros((len(rolls), int(lengths.max(initial=0)), len(graph.card.tracks)))
    for step in range(found.shape[1]):
        alive = int((lengths > step).sum())
        if alive < len(feed["position"]):
            feed = {k: v[:alive] for k, v in feed.items()}
        feed["clamp_value"] = np.stack([t[step] for t in told[:alive]])
        found[:alive, step] = -graph.step(feed)["log_prob_tracks"]
    return [found[i, :n] for i, n in enumerate(lengths)]


def play(
    graph: StepGraph,
    seeds: Sequence[int],
    steps: int,
    controls: Mapping[str, float] | None = None,
    told: Sequence[Array] = (),
    track: str = "",
    metres: Sequence[Sequence[int]] = (),
    kick: float = 0,
) -> list[Array]:
    """Return one roll (steps, slots) for each seed, from silence.

    With `told`, one roll for each seed, the slots of `track` are dictated from it, as a player's are in `accompany`; past
    a roll's end the player rests. Without, the network plays everything, as in `solo`, by a progression of its own. `metres`:
    one for each seed. `kick`: the wish for one, where the network can be asked.
    """
    found: list[Array] = []
    for first in range(0, len(seeds), BATCH):
        some = slice(first, first + BATCH)
        found += _play_together(graph, seeds[some], steps, controls, told[some], track, metres[some], kick)
    return found


def _play_together(
    graph: StepGraph,
    seeds: Sequence[int],
    steps: int,
    controls: Mapping[str, float] | None,
    told: Sequence[Array],
    track: str,
    metres: Sequence[Sequence[int]],
    kick: float,
) -> list[Array]:
    card = graph.card
    feed = graph.begin(len(seeds), controls)
    tell_metres(feed, metres)
    if "kick" in feed:
        feed["kick"][:] = kick
    asked = feed["density"].copy() if "density" in feed else None
    silent = np.zeros(len(seeds), np.int64)  # steps in which it was free to play and did not
    if told:
        where = card.track_slices()[track]
        feed["clamp_mask"][:, where] = 1
        given = np.zeros((len(seeds), steps, card.slots, len(card.channels)), np.float32)
        for item, roll in zip(given, told, strict=True):
            item[: len(roll), where] = dictated(roll[:steps], card)[:, where]
    rolls = np.zeros((len(seeds), steps, card.slots), np.uint8)
    free = feed["clamp_mask"] < 0.5
    songs = [] if told or not hears_chords(card) else [Progression() for _ in seeds]
    for song, seed in zip(songs, seeds, strict=False):
        song.begin(seed, 0, card.beats_per_bar, None)
    for step in range(steps):
        feed["u"] = np.stack([noise(seed, step, card.noise) for seed in seeds])
        for name, ahead in ((NOW, 0), (NEXT, 1)) if songs else ():
            feed[name] = np.stack([song.at(step // card.steps_per_beat + ahead).features() for song in songs])
        for at, song in enumerate(songs if step % card.steps_per_beat == 0 else ()):
            if song.begins_song(step // card.steps_per_beat):
                for state in card.states:
                    feed[state.name][at] = state.initial
        if asked is not None:
            feed["density"] = asked * np.asarray([encouragement(int(n), card.steps_per_beat) for n in silent], np.float32)
        if told:
            feed["clamp_value"] = given[:, step]
        notes = graph.step(feed)["notes"]
        rolls[:, step] = from_channels(notes)
        silent = np.where(((notes[..., PLAY] > 0.5) & free).any(1), 0, silent + 1)
    return list(rolls)


def hears_chords(card: Card) -> bool:
    """Whether a network can be told the chord of a step and of the next beat."""
    return {NOW, NEXT} <= {c.name for c in card.conditions}


def play_alone(
    graph: StepGraph, seeds: Sequence[int], bars: int = 32, controls: Mapping[str, float] | None = None
) -> list[Array]:
    """Return one roll of `bars` bars for each seed, from silence, asked and told what the engine asks and tells in `solo`."""
    return play(graph, seeds, bars * graph.card.steps_per_bar, controls, kick=1)
