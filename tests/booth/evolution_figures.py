"""Whether an audience can breed what it likes by the fast clock: conditions evolve, the network stays as it is.

    python -m tests.booth.evolution_figures OUT --seeds 5 --generations 5

Tastes, votes and the control are those of `taste_figures.py`: each arm begins with 64 clips of the shipped network, and the
children of the best quarter are the next generation; in the arm `control` those of clips drawn by lot. Each generation is a
line of OUT/figures.jsonl; begun again it goes on after the last arm that is whole. `--summary` prints what came of it.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from engine.booth.breeding import LEAST_DIVERSITY, LEAST_KEY, children, varied
from engine.booth.sampling import is_enough
from engine.core.config import Config
from engine.store.clip import Clip
from engine.store.ranking import rank
from tests.booth.taste_figures import CLIPS, TASTES, VOTES, WINNERS, Taste, line_of, parser_of, run_or_sum_up, sampled
from tests.store.made_up import audience


def bred(clips: list[Clip], taste: Taste | None, seed: int, generation: int, least: float) -> list[Clip]:
    """Return the next generation, as many clips as this one where enough came out."""
    path, own = Config().network_path(), 100_000 * seed + 5000 * generation
    if taste is None:
        parents = [clip for clip in clips if is_enough(clip.music)]
        return children(path, parents, "control", len(clips), own)
    votes = audience(taste(clips), VOTES, np.random.default_rng((seed, generation)))
    order = [standing.clip for standing in rank(range(len(clips)), votes).standings]
    best = [clips[at] for at in order if is_enough(clips[at].music)][: round(WINNERS * len(clips))]
    return varied(children(path, best, "winners", len(clips), own), [], path, own + 4000, least)


def run(args: argparse.Namespace) -> None:
    """Go on where it stopped."""
    args.out.mkdir(parents=True, exist_ok=True)
    table = args.out / "figures.jsonl"
    rows = [json.loads(line) for line in table.read_text().splitlines()] if table.exists() else []
    whole = {(row["arm"], row["taste"], row["seed"]) for row in rows if row["generation"] == args.generations}
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        first, refused = sampled(Config().network_path(), 100_000 * seed)
        tastes = {name: Taste(weights, first) for name, weights in TASTES.items()}
        beginning = line_of(first, refused, tastes)
        for arm, name in (("control", "none"), *(("votes", name) for name in TASTES)):
            if (arm, name, seed) in whole:
                continue
            clips, made = first, []
            for generation in range(args.generations + 1):
                begun_s, passed = time.monotonic(), True
                if generation:
                    least = LEAST_DIVERSITY * beginning["diversity"]
                    young = bred(clips, tastes.get(name), seed, generation, least)
                    # As the booth's gate has it; what does not pass leaves the generation before open.
                    of = line_of(young, 0.0, tastes)
                    passed = len(young) >= CLIPS / 2 and of["key"] >= beginning["key"] - LEAST_KEY and of["diversity"] >= least
                    clips = young if passed else clips
                row = {"arm": arm, "taste": name, "seed": seed, "generation": generation} | line_of(clips, refused, tastes)
                made.append(row | {"passed": passed, "seconds": round(time.monotonic() - begun_s, 1)})
            with table.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in made)


def main() -> None:
    """The command."""
    run_or_sum_up(parser_of("Can an audience breed what it likes without the network's learning?").parse_args(), run)


if __name__ == "__main__":
    main()
