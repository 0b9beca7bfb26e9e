"""The slow clock: the network itself is fine-tuned on what the audience chose, in a process of its own, and takes the jam over.

Runs on: booth process, event loop; what it starts is of the lowest priority and ends with it. A generation that is bred has a
row in the store and a folder from the beginning on: after a kill it is gone on with, or thrown away whole. The training itself
is `python -m models.festival.breed` (package extra `train`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.booth.breeding import WINNERS
from engine.booth.measures import diversity, of_all
from engine.booth.others import Others
from engine.booth.sampling import is_enough
from engine.core import contract
from engine.core.config import Config
from engine.core.errors import AlgoritmoError
from engine.core.messages import INFO, WARNING
from engine.store import schema
from engine.store.clip import Clip, music_of_json
from engine.store.ranking import Ranking, rank
from engine.store.store import Generation, Store, now_ms

PROGRAM = "models.festival.breed"
KIND = "festival"  # name in the card of the networks that it can fine-tune
METHODS = ("ranks", "dpo")
JOB, RESULT, ERRORS = "job.json", "result.json", "errors.txt"
CONTROL = 0.25  # share of the clips that are of the control arm
LOOK_S = 0.5
TRIES = 3  # of one generation, where its process is killed
AT_WORK_MS = 120_000  # so old is what was begun by a booth that is gone
FEWEST = 4  # clips that are learned from

Tell = Callable[[int, str], None]


def folder_of(config: Config, store: Store) -> Path:
    """Return where fine-tuned generations are kept: beside a file of SQLite, or where the configuration says."""
    if config.booth.generations:
        return Path(config.booth.generations).resolve()
    if store.url.get_backend_name() == "sqlite" and store.url.database:
        return Path(store.url.database).resolve().with_suffix(".generations")
    return Path(f"{store.url.database or 'booth'}.generations").resolve()


def rests(method: str, network: Path) -> str:
    """Return why the slow clock cannot go with this network; empty where it can."""
    if method == "off":
        return "booth.tune is off"
    if any(importlib.util.find_spec(name) is None for name in ("torch", "onnx", "onnxscript", "safetensors", "symusic")):
        return "it needs PyTorch: pip install -e '.[train]'"
    if not network.with_suffix(".safetensors").is_file():
        return f"the weights of {network.name} are not beside it: {network.with_suffix('.safetensors').name}"
    name = contract.read_card(network).name
    return "" if name == KIND else f"it fine-tunes {KIND} networks, and {network.name} is a {name}"


def sha256_of(path: Path) -> str:
    """Return the hash of a file; empty where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def network_of(generation: Generation, otherwise: Path) -> Path:
    """Return the network that plays a generation, where its file is still there."""
    path = Path(generation.network)
    return path if path.is_file() else otherwise


def pool(store: Store, now: Generation) -> tuple[list[Clip], Ranking]:
    """Return the clips of all generations that the network of this one plays, and how they stand by all votes among them."""
    alike = {one.id for one in store.generations() if one.network == now.network and one.opened_ms is not None}
    clips = [clip for clip in store.clips(hidden=False) if clip.generation in alike]
    return clips, rank([clip.id for clip in clips if clip.id is not None], store.votes())


def job_of(
    config: Config, clips: Sequence[Clip], ranking: Ranking, first: Sequence[Clip], origin: Path, network: Path, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the process is to do, as its job.json, and what the store keeps of it.

    A winner that nobody would hear is none, whatever it won. Raises AlgoritmoError where there are too few.
    """
    by_id = {clip.id: clip for clip in clips}
    ordered = [by_id[standing.clip] for standing in ranking.standings if is_enough(by_id[standing.clip].music)]
    count = min(round(WINNERS * config.booth.clips), len(ordered) // 2)
    if count < FEWEST:
        raise AlgoritmoError(f"too few songs to learn from: {len(ordered)}")
    weights = np.arange(count, 0, -1.0).tolist()
    # The control learns as many clips in the same way; no vote has chosen them.
    lots = [ordered[at] for at in np.random.default_rng(seed).permutation(len(ordered))[:count]]
    arms = {"winners": ordered[:count], "losers": ordered[::-1][:count], "lots": lots}

    def listed(some: Sequence[Clip]) -> list[dict[str, Any]]:
        return [
            {"music": clip.music.as_json(), "weight": weight, "conditions": dict(clip.conditions)}
            for clip, weight in zip(some, weights, strict=True)
        ]

    booth = config.booth
    job = {name: listed(some) for name, some in arms.items()} | {
        "network": str(network.resolve()),
        "origin": str(origin.resolve()),
        "first": of_all(first) | {"diversity": round(diversity(first), 4)},
        "settings": {"method": booth.tune, "updates": booth.tune_updates, "seed": seed},
        "corpus": [str(path.resolve()) for path in booth.corpus],
        "cache": str(Path(".cache").resolve()),
        "clips": booth.clips,
        "control": round(CONTROL * booth.clips),
        "bars": booth.bars,
        "tempo_bpm": config.clock.tempo,
        "seed": seed,
    }
    kept = {name: [clip.id for clip in some] for name, some in arms.items()}
    return job, kept | {"weights": weights, "corpus": bool(booth.corpus), "votes": ranking.votes}


class SlowClock:
    """Fine-tunes when the votes are in. One generation at a time."""

    def __init__(self, config: Config, store: Store, network: Path, tell: Tell, others: Others | None = None) -> None:
        """`network`: that the configuration names. `others`: the booths on the same database, one of which fine-tunes."""
        self._others = others or Others(store.url, lambda _kind, _content: None)
        self._config, self._store, self._network, self._tell = config, store, network, tell
        self.folder = folder_of(config, store)
        self._process: subprocess.Popen[bytes] | None = None
        self._told = ""

    # --- what is there already ----------------------------------------------------------------------------------------------

    def settle(self) -> int | None:
        """See what was being bred when the booth ended: return the generation that can be gone on with; others are thrown away.

        Raises StoreError.
        """
        found = None
        now = self._store.current()
        # On a file nobody else is at work; on a database another booth may be just now.
        latest_ms = now_ms() - (0 if self._store.url.get_backend_name() == "sqlite" else AT_WORK_MS)
        for one in self._store.generations():
            if one.state != schema.BREEDING or one.id is None or one.created_ms > latest_ms:
                continue
            goes_on = one.method in METHODS and (self.folder / str(one.id) / JOB).is_file() and self._config.booth.tune != "off"
            if goes_on and now is not None and one.network == now.network and found is None:
                found = one.id
            else:
                self._discard(one, ["its breeding was interrupted"])
        return found

    def _discard(self, one: Generation, why: Sequence[str], figures: Mapping[str, Any] | None = None) -> None:
        assert one.id is not None
        self._store.note_figures(one.id, {**one.figures, **(figures or {}), "passed": 0.0, "why": "; ".join(why)})
        self._store.discard_generation(one.id)
        if figures is None:  # what was refused stays to be looked at; what was not done is of no use
            shutil.rmtree(self.folder / str(one.id), ignore_errors=True)

    # --- the clock ----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Go on for ever. `stop` ends what is under way."""
        coming = None
        settled = False
        while True:
            try:
                if not await self._others.takes("tuning"):
                    pass  # another booth does it
                elif not settled:
                    coming, settled = await asyncio.to_thread(self.settle), True
                else:
                    coming = await asyncio.to_thread(self.begin)
                if coming is not None:
                    await self._breed(coming)
            except (AlgoritmoError, OSError) as error:  # a store that is gone comes back
                if str(error) != self._told:
                    self._told = str(error)
                    self._tell(WARNING, f"the network is not fine-tuned now: {error}")
            coming = None
            await asyncio.sleep(4 * LOOK_S)

    def begin(self) -> int | None:
        """Begin a generation where the votes are in: its row and its job. Return its number. Raises StoreError."""
        now = self._store.current()
        booth = self._config.booth
        if now is None or now.id is None or self._store.count_votes(since_ms=self._since_ms(now)) < booth.tune_votes:
            return None
        network = network_of(now, self._network)
        if why := rests(booth.tune, network):
            if why != self._told and booth.tune != "off":
                self._told = why
                self._tell(INFO, f"the network is not fine-tuned: {why}")
            return None
        clips, ranking = pool(self._store, now)
        generations = self._store.generations()
        first = self._store.clips(generations[0].id)
        origin = network_of(generations[0], self._network)
        seed = (self._config.jam.seed + 7919 * len(generations)) % (1 << 31)
        try:
            job, kept = job_of(self._config, clips, ranking, first, origin, network, seed)
        except AlgoritmoError as error:
            if str(error) != self._told:
                self._told = str(error)
                self._tell(INFO, f"the network is not fine-tuned: {error}")
            return None
        about = Generation(booth.tune, now.network, now.sha256, now.id, seed, kept)
        number = self._store.add_generation(about)
        folder = self.folder / str(number)
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            part = folder / f"{JOB}.part"
            part.write_text(json.dumps(job))
            part.replace(folder / JOB)
        except OSError as error:
            self._store.discard_generation(number)
            raise AlgoritmoError(f"{folder}: cannot be written ({error.strerror}); the network is not fine-tuned") from error
        return number

    def _since_ms(self, now: Generation) -> int:
        """From when on votes count: since a network was last to be fine-tuned, or an earlier one was opened again."""
        there = self._store.generations()
        last = max((one.created_ms for one in there if one.method in METHODS), default=0)
        is_newest = all(one.id is None or now.id is None or one.id <= now.id for one in there if one.opened_ms is not None)
        return last if is_newest else max(last, now.opened_ms or 0)

    async def _breed(self, number: int) -> None:
        folder = self.folder / str(number)
        kept = "" if self._config.booth.corpus else "; booth.corpus names no music, so what it plays by itself stands for it"
        self._tell(INFO, f"generation {number}: the network is fine-tuned on {self._config.booth.tune_votes} votes{kept}")
        for _ in range(TRIES):
            code = 0 if (folder / RESULT).is_file() else await self._process_of(folder)
            if code >= 0 and code != 130:
                break
        said = await asyncio.to_thread(self.finish, number, code)
        self._tell(INFO if said.startswith("generation") else WARNING, said)

    async def _process_of(self, folder: Path) -> int:
        """Run the process to its end; return its exit status."""
        root = str(Path(__file__).parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        with (folder / ERRORS).open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", PROGRAM, str(folder)], env=environment, stdout=subprocess.DEVNULL, stderr=errors
            )
        try:
            while (code := self._process.poll()) is None:
                await asyncio.sleep(LOOK_S)
        finally:
            self.stop()
        return code

    def stop(self) -> None:
        """End the process: begun again, it goes on where it was."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def finish(self, number: int, code: int) -> str:
        """Take in what came of a generation: open it, or keep why it was refused; return what to say. Raises StoreError."""
        one, folder = self._store.generation(number), self.folder / str(number)
        try:
            result = json.loads((folder / RESULT).read_text())
        except (OSError, ValueError):
            lines: list[str] = []
            with contextlib.suppress(OSError):
                lines = (folder / ERRORS).read_text(errors="replace").strip().splitlines()
            why = lines[-1] if lines else f"its process ended with {code}"
            self._discard(one, [why])
            return f"the network could not be fine-tuned: {why}; votes go on"
        if not result["passed"]:
            self._discard(one, result["why"], result["figures"])
            return f"generation {number} was refused: {'; '.join(result['why'])}; this one goes on"
        now = self._store.current()
        if now is None or now.network != one.network:
            self._discard(one, ["another network was opened meanwhile"], result["figures"])
            return f"generation {number} is not opened: another network was meanwhile"
        path = Path(result["network"])
        clips = [
            Clip(music_of_json(of["music"]), of["arm"], of["seed"], of["network"], of["conditions"]) for of in result["clips"]
        ]
        self._store.complete_generation(number, str(path), sha256_of(path), result["figures"], clips)
        self._store.open_generation(number)
        return f"generation {number} is open: the network learned from {len(one.conditions['winners'])} songs"
