"""Levels against meters of others: loudness against ffmpeg's ebur128, level and peak against sox."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest
import soundfile

from engine.core.messages import BLOCK
from engine.feed.signals.levels import LOUDNESS, PEAK, RMS, WINDOW, Levels
from tests.system.rig import need

RATE = 48000
OFF_DB = 0.5
SECONDS = 9.6


def music() -> np.ndarray:
    """A bass, chords that change, and strokes of noise, growing louder and softer; left and right differ. (n, 2) float32."""
    chance = np.random.default_rng(7)
    t = np.arange(round(SECONDS * RATE)) / RATE
    out = np.zeros((len(t), 2))
    for begin in np.arange(0, SECONDS, 0.4):
        passed = np.clip(t - begin, 0, None)
        sounds = t >= begin
        for hz in chance.choice([110, 220, 261.6, 329.6, 440, 1318.5, 3520], 3):
            struck = sounds * np.exp(-passed / chance.uniform(0.1, 1.0)) * np.sin(2 * np.pi * hz * passed)
            out += 0.12 * struck[:, None] * chance.uniform(0.2, 1.0, 2)
        noise = sounds * np.exp(-passed / 0.04) * chance.standard_normal(len(t))
        out += 0.1 * noise[:, None] * chance.uniform(0.2, 1.0, 2)
    swell = 0.02 + np.sin(np.pi * t / SECONDS) ** 2
    return np.clip(out * swell[:, None], -1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A file, and what we find in it by the frame up to which it was measured."""
    file = tmp_path_factory.mktemp("meters") / "music.wav"
    samples = music()
    soundfile.write(file, samples, RATE, subtype="FLOAT")
    levels = Levels(RATE, 1)
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK, 2)
    found = {}
    at = 0
    for count in [*([12, 13, 13, 12] * (len(blocks) // 50))]:  # as many as come in a sixtieth of a second
        levels.take(blocks[at : at + count])
        levels.settle()
        at += count
        found[at * BLOCK] = levels.values[0].copy()
    return file, found


def test_loudness_is_that_of_ebur128(measured):
    file, found = measured
    ffmpeg = need("ffmpeg", "apt install ffmpeg")
    graph = "ebur128=metadata=1,ametadata=print:key=lavfi.r128.S:file=-"
    words = [ffmpeg, "-hide_banner", "-loglevel", "error", "-i", file, "-af", graph, "-f", "null", "-"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    theirs = np.array([float(value) for value in re.findall(r"lavfi\.r128\.S=(\S+)", said)])
    assert len(theirs) >= 90
    ours = np.array(list(found.values()))[:, LOUDNESS]
    at_s = np.array(list(found)) / RATE
    full = at_s > 3.2  # before, ffmpeg's three seconds are not there yet
    expected = np.interp(at_s[full], 0.1 * np.arange(1, len(theirs) + 1), theirs)
    assert expected.max() - expected.min() > 6
    assert np.abs(ours[full] - expected).max() < OFF_DB


def test_level_and_peak_are_those_of_sox(measured):
    file, found = measured
    sox = need("sox", "apt install sox")
    for end in list(found)[40::70]:
        words = [sox, file, "-n", "trim", f"{end - WINDOW}s", f"{WINDOW}s", "stats"]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stderr
        peak, rms = (float(re.search(rf"{name} lev dB\s+(\S+)", said)[1]) for name in ("Pk", "RMS"))
        assert found[end][RMS] == pytest.approx(rms, abs=OFF_DB)
        assert found[end][PEAK] == pytest.approx(peak, abs=OFF_DB)
