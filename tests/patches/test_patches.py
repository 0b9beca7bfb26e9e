"""Every instrument of the folder: in tune, alive under the fingers, even in level, without clicks, and silent when let go."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.library import available
from engine.core.messages import BLOCK
from tests.patches.stage import RATE, Stage, brightness_hz, cents_off, decibels, peak_db, rms_db, roughness

PITCHES = {"bass": (28, 40, 52), "acid": (28, 40, 52), "lead": (60, 72, 84), "drums": (36, 38, 41)}

tuned = pytest.mark.parametrize("shared_stage", sorted(available().keys() - {"drums"}), indirect=True)


def pitches(stage: Stage) -> tuple[int, ...]:
    return PITCHES.get(stage.name, (48, 60, 72))


def test_parameters_are_declared_soundly(stage: Stage) -> None:
    names = [p.name for p in stage.patch.params]
    assert len(set(names)) == len(names)
    for param in stage.patch.params:
        assert param.name.isidentifier()
        assert param.minimum < param.maximum
        assert param.minimum <= param.default <= param.maximum
        assert param.curve in ("linear", "exp")
        assert param.curve != "exp" or param.minimum > 0, f"{param.name}: an exponential slider cannot reach 0"
        assert param.doc
    assert stage.patch.__doc__


def test_harder_is_louder_and_brighter(stage: Stage) -> None:
    attack_s = 0.06 if stage.name == "drums" else 0.6
    for pitch in pitches(stage)[:2]:
        loudness, brightness = [], []
        for velocity in (20, 64, 127):
            sound = stage.note(pitch, velocity, attack_s)
            loudness.append(rms_db(sound))
            brightness.append(brightness_hz(sound))
            stage.hush()
        assert loudness[0] + 9 < loudness[1], f"{pitch}: {loudness}"
        assert loudness[1] + 6 < loudness[2], f"{pitch}: {loudness}"
        assert loudness[2] < loudness[0] + 36, f"{pitch}: the softest is lost {loudness}"
        assert brightness[2] > 1.1 * brightness[0], f"{pitch}: {brightness}"


@tuned
def test_fundamental_is_in_tune(stage: Stage) -> None:
    for pitch in pitches(stage):
        sound = stage.note(pitch, 90, 2.0)
        stage.hush()
        # The stroke is left out, where a closing filter turns the phase; slow wandering is averaged over its period.
        assert abs(cents_off(sound[RATE // 5 :], pitch)) < 2, pitch


@tuned
def test_bent_notes_follow_the_wheel(stage: Stage) -> None:
    stage.on(60, 90)
    stage.instrument.notes.note_bend(60, 2.0)
    sound = stage.listen(1.0)
    stage.off(60)
    assert abs(cents_off(sound[RATE // 5 :], 62)) < 4


def test_one_note_peaks_at_12_db_below_full_scale(stage: Stage) -> None:
    for pitch in pitches(stage):
        peak = peak_db(stage.note(pitch, 100, 0.8))
        stage.hush()
        assert -16.5 < peak < -8.5, f"{pitch}: {peak:.1f} dBFS"


def test_no_instrument_drowns_another(stage: Stage) -> None:
    powers = []
    for pitch in pitches(stage):
        powers.append(rms_db(stage.note(pitch, 100, 0.4)))
        stage.hush()
    assert -27 < np.mean(powers) < -15


def test_no_direct_current(stage: Stage) -> None:
    for pitch in pitches(stage):
        sound = stage.note(pitch, 100, 1.2)[RATE // 5 :]
        stage.hush()
        direct = np.abs((sound * np.hanning(len(sound))[:, None]).mean(axis=0)).max() * 2
        assert decibels(float(direct)) < -60, pitch


def test_both_sides_sound(stage: Stage) -> None:
    sound = stage.note(pitches(stage)[1], 100, 1.2)
    left, right = rms_db(sound[:, :1]), rms_db(sound[:, 1:])
    assert abs(left - right) < 6


def test_released_note_dies_away(stage: Stage) -> None:
    for pitch in pitches(stage):
        stage.note(pitch, 127, 0.3, after=4.0)
        assert peak_db(stage.listen(0.1)) < -66, pitch
        stage.hush()


def test_panic_leaves_no_voice(stage: Stage) -> None:
    for pitch in range(30, 30 + 3 * stage.instrument.notes.polyphony):
        stage.on(pitch, 127)
    assert peak_db(stage.listen(0.3)) > -30
    stage.instrument.notes.all_off()
    stage.listen(4.0)
    assert peak_db(stage.listen(0.1)) < -60


def test_beginning_does_not_click(stage: Stage) -> None:
    sound = stage.note(pitches(stage)[0], 127, 0.2)
    assert np.abs(sound[:2]).max() < 0.03 * np.abs(sound).max(), "it begins with a step"
    # A stroke may be sharp, but not sharper while it begins than when it is there; a drum's is all beginning.
    assert stage.name == "drums" or roughness(sound[:96]) < 1.2 * roughness(sound[96:])


def test_release_does_not_click(stage: Stage) -> None:
    pitch = pitches(stage)[0]
    held = stage.note(pitch, 127, 0.4)
    release = stage.listen(0.6)
    assert roughness(np.concatenate([held[-2:], release])) < 1.5 * roughness(held[-RATE // 5 :]) + 1e-3


@pytest.mark.parametrize("velocity", [20, 127])
@pytest.mark.parametrize("released", [False, True])
def test_note_struck_again_does_not_click(stage: Stage, velocity: int, released: bool) -> None:
    pitch = pitches(stage)[0]
    alone = roughness(stage.note(pitch, 127, 0.1))
    stage.hush()
    stage.on(pitch, 127)
    held = stage.listen(0.15)
    if released:
        stage.off(pitch)
        stage.listen(0.02)
    before = stage.listen(0.01)
    stage.on(pitch, velocity)
    again = np.concatenate([before[-2:], stage.listen(0.1)])
    # Where a drum starts anew its old tail is cut; a corner as large as the tail itself is the stroke's own.
    tail = np.abs(before).max() if stage.name == "drums" else 0.0
    assert roughness(again) < 1.5 * (alone + roughness(held[-RATE // 20 :])) + tail


def test_stolen_voice_does_not_click(stage: Stage) -> None:
    low, voices = pitches(stage)[0], stage.instrument.notes.polyphony
    stolen_by = low if stage.name == "drums" else low + voices
    alone = roughness(stage.note(stolen_by, 100, 0.1))
    stage.hush()
    for pitch in range(low, low + voices):
        stage.on(pitch, 100)
    stage.listen(0.3)
    full = stage.listen(0.2)
    stage.on(stolen_by, 100)
    assert roughness(np.concatenate([full[-2:], stage.listen(0.1)])) < 1.5 * (alone + roughness(full)) + 1e-3


@tuned
def test_the_meter_hears_a_click(stage: Stage) -> None:
    """What the tests above would say of an instrument whose gate slams: the same note, cut between two samples."""
    sound = stage.note(pitches(stage)[0], 127, 0.4)
    calm = roughness(sound[-RATE // 5 :])
    loudest = int(np.abs(sound[-RATE // 10 :, 0]).argmax()) + len(sound) - RATE // 10
    cut = sound[loudest - RATE // 20 : loudest + 2].copy()
    cut[-1:] = 0.0
    assert roughness(cut) > 1.5 * calm + 1e-3


def test_no_parameter_breaks_the_sound(stage: Stage) -> None:
    for param in stage.patch.params:
        for value in (param.minimum, param.maximum):
            stage.turn(param.name, value)
            sound = stage.phrase(*pitches(stage))
            stage.hush()
            assert np.isfinite(sound).all(), f"{param.name} = {value}"
            assert peak_db(sound) < 0, f"{param.name} = {value}"
        stage.turn(param.name, param.default)


def test_all_parameters_at_their_ends_at_once(stage: Stage) -> None:
    for end in ("minimum", "maximum"):
        for param in stage.patch.params:
            stage.turn(param.name, getattr(param, end))
        for pitch in (21, 60, 108):
            sound = stage.note(pitch, 127, 0.2)
            assert np.isfinite(sound).all()
            assert np.abs(sound).max() < 2


def test_sleep_changes_nothing(stage: Stage) -> None:
    before = stage.note(pitches(stage)[0], 100, 0.3)
    stage.hush()
    stage.instrument.sleep()
    assert not stage.listen(0.5).any()
    after = stage.note(pitches(stage)[0], 100, 0.3)
    assert abs(rms_db(before) - rms_db(after)) < 3


def test_nor_does_the_sleep_of_a_voice(stage: Stage) -> None:
    pitch = pitches(stage)[0]
    before = stage.note(pitch, 100, 0.3)
    stage.hush()
    for _ in range(40):
        stage.listen(0.05)
        stage.instrument.listen(round(0.05 * RATE / BLOCK))
    assert all(voice.is_asleep for voice in stage.instrument.notes.voices())
    assert not stage.instrument.is_asleep
    after = stage.note(pitch, 100, 0.3)
    assert abs(rms_db(before) - rms_db(after)) < 3
    assert roughness(after) < 3 * roughness(before)  # whatever the phase it begins with
    assert sum(not voice.is_asleep for voice in stage.instrument.notes.voices()) == 1
