"""The generations that an audience bred: listed, played, exported, compared, and one of them opened again.

Runs on: main process. A booth that runs meanwhile sees what is opened here, and has the jam beside it play it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.booth.measures import diversity, newer_wins, of_all, wilson
from engine.booth.slow import METHODS
from engine.core.config import Config
from engine.core.errors import AlgoritmoError
from engine.store import schema
from engine.store.clip import Clip
from engine.store.connection import StoreError
from engine.store.ranking import Ranking, rank
from engine.store.store import Generation, Store


def _ranked(store: Store, number: int) -> tuple[list[Clip], Ranking]:
    clips = store.clips(number)
    return clips, rank([clip.id for clip in clips if clip.id is not None], store.votes(number, across=False))


def above_control(clips: Iterable[Clip], ranking: Ranking) -> float | None:
    """Return by how much the clips bred from winners stand above those bred from clips drawn by lot, in log-odds of a vote."""
    strengths: dict[str, list[float]] = {"winners": [], "control": []}
    for clip in clips:
        standing = ranking.of(clip.id or 0)
        if clip.arm in strengths and standing is not None and standing.heard:
            strengths[clip.arm].append(standing.strength)
    one, other = strengths["winners"], strengths["control"]
    return sum(one) / len(one) - sum(other) / len(other) if one and other else None


def listed(config: Config) -> list[str]:
    """Return a line for each generation."""
    out = []
    with Store(config.booth.store) as store:
        for one in store.generations():
            assert one.id is not None
            clips, ranking = _ranked(store, one.id)
            made = datetime.fromtimestamp(one.created_ms / 1000).strftime("%Y-%m-%d %H:%M")
            parts = [f"{one.id:3} {one.state:9} {one.method:10} {made}  {len(clips)} songs, {ranking.votes} votes"]
            parts += [f"of {one.parent}"] if one.parent else []
            figures = one.figures
            said = (("key", "in key {:.2f}"), ("diversity", "diversity {:.3f}"), ("drift", "drift {:+.1%}"))
            parts += [text.format(figures[name]) for name, text in said if isinstance(figures.get(name), int | float)]
            if (above := above_control(clips, ranking)) is not None:
                parts.append(f"{above:+.2f} above control")
            parts += [str(figures["why"])] if figures.get("why") else []
            out.append(", ".join(parts))
    return out or ["there is none yet: algoritmo booth"]


def path_of(config: Config, number: int) -> Path:
    """Return the network that plays a generation. Raises AlgoritmoError where its file is gone."""
    with Store(config.booth.store) as store:
        path = Path(store.generation(number).network)
    if not path.is_file():
        raise AlgoritmoError(f"generation {number}: its network is not there any more: {path}")
    return path


def _about(store: Store, one: Generation) -> dict[str, Any]:
    assert one.id is not None
    clips, ranking = _ranked(store, one.id)
    rows = []
    for clip in clips:
        standing = ranking.of(clip.id or 0)
        stood = {} if standing is None else {"place": standing.place, "strength": standing.strength, "error": standing.error}
        stood |= {} if standing is None else {"heard": standing.heard, "won": standing.won}
        about = {"id": clip.id, "name": clip.name, "arm": clip.arm, "seed": clip.seed, "parents": list(clip.parents)}
        rows.append(about | {"conditions": dict(clip.conditions), "network": clip.network, "votes": stood})
    return {
        "id": one.id,
        "parent": one.parent,
        "method": one.method,
        "state": one.state,
        "network": one.network,
        "sha256": one.sha256,
        "seed": one.seed,
        "conditions": dict(one.conditions),
        "figures": dict(one.figures),
        "votes": ranking.votes,
        "above_control": above_control(clips, ranking),
        "clips": rows,
    }


def export(config: Config, number: int, folder: Path) -> list[str]:
    """Write all of a generation into a folder; return what to say. Raises AlgoritmoError."""
    with Store(config.booth.store) as store:
        about = _about(store, store.generation(number))
        clips = store.clips(number)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "generation.json").write_text(json.dumps(about, indent=1) + "\n")
        for clip in clips:
            (folder / f"clip-{clip.id}.json").write_text(json.dumps(clip.music.as_json()) + "\n")
        path = Path(about["network"])
        said = [f"{folder}: {len(clips)} songs; algoritmo render {folder}/clip-NUMBER.json makes one sound"]
        for found in (path, path.with_suffix(".safetensors")):
            if found.is_file():
                shutil.copyfile(found, folder / found.name)
                said.append(f"{folder / found.name}: {found.stat().st_size / 1e6:.1f} MB")
        if not path.is_file():
            said.append(f"its network is not there any more: {path}")
    except OSError as error:
        raise AlgoritmoError(f"{folder}: cannot be written ({error.strerror})") from error
    return said


def compared(config: Config, one: int, other: int) -> list[str]:
    """Return what became otherwise from one generation to another, in numbers."""
    with Store(config.booth.store) as store:
        first, second = store.generation(one), store.generation(other)
        sides = [store.clips(one), store.clips(other)]
        generation_of = {
            clip.id: number for number, clips in zip((one, other), sides, strict=True) for clip in clips if clip.id
        }
        tally = [row for row in store.tally() if row.first in generation_of and row.second in generation_of]
    tables = [of_all(clips) | {"diversity": round(diversity(clips), 3)} for clips in sides]
    said = [f"{'':10} {one:>9} {other:>9}"]
    for name in dict.fromkeys((*tables[0], *tables[1])):
        values = [table.get(name) for table in tables]
        said.append(f"{name:10} " + " ".join(f"{'-':>9}" if value is None else f"{value:9.3f}" for value in values))
    for name in ("nats", "drift", "refused"):
        numbers = [of.figures.get(name) for of in (first, second)]
        if any(isinstance(number, int | float) for number in numbers):
            said.append(f"{name:10} " + " ".join(f"{n:9.4f}" if isinstance(n, int | float) else f"{'-':>9}" for n in numbers))
    won, of = newer_wins(tally, {key: number for key, number in generation_of.items() if key is not None})
    share, low, high = wilson(won, of)
    same = "the same network" if first.network == second.network else "another network"
    said.append(
        f"{same}; heard blindly side by side {of} times, the newer one was chosen in {share:.0%} ({low:.0%} to {high:.0%})"
    )
    return said


def roll_back(config: Config, number: int | None) -> str:
    """Open a generation again, by default the one that the open one was bred from; return what to say. Raises StoreError."""
    with Store(config.booth.store) as store:
        now = store.current()
        if number is None:
            number = None if now is None else now.parent
        if number is None:
            raise StoreError("there is none before it; say which: algoritmo generations rollback NUMBER")
        if now is not None and now.id == number:
            return f"generation {number} is open already"
        back = store.generation(number)
        if back.state == schema.BREEDING:
            raise StoreError(f"generation {number} is still being bred")
        if back.method in METHODS and not Path(back.network).is_file():
            raise StoreError(f"generation {number}: its network is not there any more: {back.network}")
        store.open_generation(number)
    return f"generation {number} is open again; a booth that runs, and the jam beside it, go on with it at the next bar line"
