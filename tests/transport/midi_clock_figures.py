"""How near the beat that is taken from a MIDI clock lies to the true one, through jitter, a ramp and a step.

    python tests/transport/midi_clock_figures.py [--seeds N]

Ticks come up to 2 ms early or late, evenly spread, and again with a standard deviation of 2 ms. Nothing was tuned on the seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.transport.midi_clock import PER_BEAT, MidiClock
from tests.transport.test_midi_clock import ticks

JITTER_S = 0.002
Spread = Callable[[np.random.Generator, int], np.ndarray]
SPREADS: dict[str, Spread] = {
    "up to 2 ms": lambda rng, count: rng.uniform(-JITTER_S, JITTER_S, count),
    "standard deviation 2 ms": lambda rng, count: rng.normal(0, JITTER_S, count),
}


def errors_ms(times: np.ndarray, seed: int, spread: Spread) -> tuple[np.ndarray, float]:
    """How far the beat that is heard lies from the true one at each tick, and how many ticks are wrong at the end."""
    rng = np.random.default_rng(seed)
    heard = np.maximum.accumulate(times + spread(rng, len(times)))
    clock, found = MidiClock(), np.zeros(len(times))
    for number, (true, at) in enumerate(zip(times, heard, strict=True)):
        clock.tick(float(at))
        beat, tempo = clock.beat_at(float(true)), clock.tempo_bpm
        if beat is not None and tempo is not None:
            found[number] = (beat - number / PER_BEAT) * 60 / tempo * 1e3
    beat = clock.beat_at(float(times[-1]))
    return np.abs(found), 0.0 if beat is None else beat * PER_BEAT - (len(times) - 1)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=12)
    seeds = range(9000, 9000 + parser.parse_args().seeds)
    for name, spread in SPREADS.items():
        steady = np.concatenate([errors_ms(ticks(lambda _: 120, 30), seed, spread)[0][96:] for seed in seeds])
        ramp = ticks(lambda at: min(60 + 140 * at / 16, 200), 16)
        ramps = np.concatenate([errors_ms(ramp, seed, spread)[0][48:] for seed in seeds])
        step = ticks(lambda at: 120 if at < 15 else 140, 25)
        around, after = [], []
        for seed in seeds:
            found = errors_ms(step, seed, spread)[0]
            around.append(found[(step > 14.9) & (step < 20)].max())
            after.append(found[(step > 15 + 2 * 60 / 140) & (step < 20)].max())
        ten_thousand = np.arange(10_000) * 60 / 128 / PER_BEAT
        wrong = [abs(round(errors_ms(ten_thousand, seed, spread)[1])) for seed in list(seeds)[:4]]
        sys.stdout.write(
            f"{name}: steady p99 {np.percentile(steady, 99):.2f} ms; "
            f"ramp 60 to 200 in 16 s p99 {np.percentile(ramps, 99):.2f} ms; "
            f"step 120 to 140 at most {max(around):.2f} ms, two beats later {max(after):.2f} ms; "
            f"ticks lost or doubled in 10,000: {wrong}\n"
        )


if __name__ == "__main__":
    main()
