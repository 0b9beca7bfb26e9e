"""The networks that are here, for people: one paragraph each, or a whole card.

Runs on: main process (`algoritmo models`). Everything is read from the cards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.core.config import SHIPPED, Config, Network
from engine.core.contract import Card, Control, read_card

NEUTRAL = Control(name="temperature", neutral=1.0, min=0.1, max=2.0)
RUN_FIRST = ("command", "seed", "updates", "seconds")


def shipped() -> dict[Path, Card]:
    """The cards of the networks that are shipped, by file. Raises NetworkError for a faulty one."""
    return {path: read_card(path) for path in sorted(SHIPPED.glob("*/*.onnx"))}


def show(name: str | None, as_json: bool) -> list[str]:
    """Lines of what `algoritmo models` prints: of all networks, or of one by its name or path.

    Raises ConfigError and NetworkError.
    """
    if name is None:
        found = shipped()
    else:
        path = Config(network=Network(name=name)).network_path()
        found = {path: read_card(path)}
    if as_json:
        cards = {str(path): {"bytes": path.stat().st_size, **card.model_dump()} for path, card in found.items()}
        return [json.dumps(cards, indent=2)]
    lines: list[str] = []
    for path, card in found.items():
        lines += list(paragraph(path, card)) if name is None else list(whole(path, card))
    return lines


def paragraph(path: Path, card: Card) -> Iterator[str]:
    """What a network is, on what it was trained, how well it does, what can be turned, where its picture is."""
    yield f"{path.stem}: {card.title or card.name}"
    if card.description:
        yield f"  {card.description}"
    yield f"  tracks: {_tracks(card)}; {path.stat().st_size / 1e6:.1f} MB"
    for source in card.training.get("data", []):
        yield f"  trained on {source.get('name')} ({source.get('licence')})"
    for figure in _figures(card):
        yield f"  {figure}"
    yield f"  controls: {', '.join(c.name for c in _controls(card))}"
    if picture := picture_of(path, card):
        yield f"  picture: {picture}"


def whole(path: Path, card: Card) -> Iterator[str]:
    """Everything a card says, to be read."""
    yield f"{card.title or card.name} ({path})"
    if card.description:
        yield f"  {card.description}"
    yield f"  licence: {card.licence or 'not stated'}; contract {card.contract}; {path.stat().st_size / 1e6:.1f} MB"
    yield f"  time: {card.steps_per_beat} steps a beat, {card.beats_per_bar} beats a bar; {card.noise} numbers of noise a step"
    if card.metres:
        yield f"  metres: {', '.join(card.metres)}"
    if picture := picture_of(path, card):
        yield f"  picture: {picture}"
    yield "Tracks"
    for track in card.tracks:
        yield f"  {track.name}: {track.kind}, {len(track.pitches)} pitches from {min(track.pitches)} to {max(track.pitches)}"
    yield f"  of each note: {', '.join(card.channels)}"
    yield "Controls"
    for control in _controls(card):
        yield f"  {control.name}: {control.min:g} to {control.max:g}, neutral {control.neutral:g}. {control.doc}".rstrip()
    yield "Layers"
    for layer in sorted({a.layer for a in card.activations}):
        here = [a for a in card.activations if a.layer == layer]
        shapes = ", ".join(f"{a.signal} {' x '.join(map(str, a.shape))}" for a in here)
        yield f"  {layer}: {shapes}{'; its units are in order' if layer in card.order else ''}"
    yield "Training"
    for source in card.training.get("data", []):
        yield f"  {source.get('name')} ({source.get('licence')})"
    yield from _training(card.training)
    yield "Figures"
    for figure in _figures(card):
        yield f"  {figure}"


def picture_of(path: Path, card: Card) -> Path | None:
    """The picture of its state that a card names, where it lies beside the file."""
    name = (card.model_extra or {}).get("picture")
    picture = path.with_name(Path(str(name)).name) if name else None
    return picture if picture is not None and picture.is_file() else None


def _tracks(card: Card) -> str:
    return ", ".join(f"{t.name} ({len(t.pitches)})" for t in card.tracks)


def _controls(card: Card) -> list[Control]:
    """The card's controls; temperature is one even where it does not say so."""
    named = [c.name for c in card.controls]
    return [*([] if "temperature" in named else [NEUTRAL]), *card.controls]


def _figures(card: Card) -> Iterator[str]:
    for name, figure in card.figures.items():
        if isinstance(figure, int | float | str):
            yield f"{name.replace('_', ' ')}: {f'{figure:.4g}' if isinstance(figure, float) else figure}"


def _training(training: Mapping[str, Any]) -> Iterator[str]:
    for number, run in enumerate([*training.get("before", []), training], 1):
        yield f"  run {number}: {run.get('updates', '?')} updates, {run.get('seconds', '?')} s"
        if run.get("command"):
            yield f"    {run['command']}"
    for key, value in training.items():
        if key in ("data", "before", *RUN_FIRST) or value in ({}, [], ""):
            continue
        said = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        yield f"  {key.replace('_', ' ')}: {said}"
    if "seed" in training:
        yield f"  seed: {training['seed']}"
