"""Every backend on real plugins: notes at their frames, knobs, tempo, latency, state, and files that are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import PluginError
from engine.host import backends, clap, lv2, vst3
from engine.host.plugin import CHANNELS, MIDI, NOTE_OFF, NOTE_ON, PARAMETER, Event, Moment, Plugin

RATE, BLOCK = 48000, 64
FORMATS = ("clap", "vst3")


def loaded(folder: Path, name: str, kind: str) -> Plugin:
    """Load one of the fixtures and make it ready."""
    if kind == "vst3":
        pytest.importorskip("pedalboard")
    path = folder / f"{name}.{kind}"
    plugin: Plugin = backends.backend_of(path).load(path)
    plugin.activate(RATE, BLOCK)
    return plugin


def blocks(plugin: Plugin, events: dict[int, list[Event]], count: int, inputs: np.ndarray | None = None) -> np.ndarray:
    """Process `count` blocks with these events by block; return what comes out, float32 (CHANNELS, count * BLOCK)."""
    silence, found = np.zeros((CHANNELS, BLOCK), np.float32), []
    for block in range(count):
        given = silence if inputs is None else np.ascontiguousarray(inputs[:, BLOCK * block : BLOCK * (block + 1)])
        out = np.empty_like(silence)
        plugin.process(given, silence, out, events.get(block, []), Moment(frame=block * BLOCK, tempo_bpm=97.0))
        found.append(out)
    return np.concatenate(found, axis=1)


def note(offset: int, pitch: int = 60, velocity: float = 1.0) -> Event:
    """A note that begins."""
    return (offset, NOTE_ON, 0, pitch, 0, 0, velocity)


def knob(plugin: Plugin, name: str) -> int:
    """The place of a knob."""
    return [k.name for k in plugin.knobs].index(name)


def turn(plugin: Plugin, name: str, share: float) -> Event:
    """A knob that is turned to a share of its range."""
    index = knob(plugin, name)
    of = plugin.knobs[index]
    return (0, PARAMETER, 0, 0, 0, index, of.minimum + share * (of.maximum - of.minimum))


@pytest.mark.parametrize("kind", FORMATS)
def test_notes_begin_at_their_frames(fixtures: Path, kind: str):
    plugin = loaded(fixtures, "synth", kind)
    assert plugin.about.is_instrument
    offsets = (0, 1, 7, 31, 62, 63)
    events = {4 * n: [note(offset, 60 + n, 1.0), (63, NOTE_OFF, 0, 60 + n, 0, 0, 0.0)] for n, offset in enumerate(offsets)}
    out = blocks(plugin, events, 4 * len(offsets))
    struck = np.flatnonzero(out[0] > 0.5)
    assert struck.tolist() == [4 * n * BLOCK + offset for n, offset in enumerate(offsets)]
    plugin.close()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_knob_is_turned_and_read_back(fixtures: Path, kind: str):
    plugin = loaded(fixtures, "synth", kind)
    out = blocks(plugin, {0: [turn(plugin, "Gain", 0.25), note(5)]}, 1)
    assert out[0, 5] == pytest.approx(0.5, abs=1e-3)  # a quarter of 0..2
    of = plugin.knobs[knob(plugin, "Gain")]
    assert plugin.value(knob(plugin, "Gain")) == pytest.approx(of.minimum + 0.25 * (of.maximum - of.minimum), abs=1e-3)
    shape = plugin.knobs[knob(plugin, "Shape")]
    assert (shape.steps, shape.labels) == (3, ("Sine", "Square", "Saw"))
    plugin.close()


def test_a_clap_plugin_hears_the_tempo(fixtures: Path):
    plugin = loaded(fixtures, "synth", "clap")
    assert blocks(plugin, {0: [turn(plugin, "Show tempo", 1)]}, 1)[0] == pytest.approx(0.097, abs=1e-4)
    plugin.close()
    assert "hears no tempo" in vst3.LIMITS


@pytest.mark.parametrize("kind", FORMATS)
def test_a_declared_latency_is_known_and_true(fixtures: Path, kind: str):
    plugin = loaded(fixtures, "effect", kind)
    blocks(plugin, {0: [turn(plugin, "Latency", 512 / 8192)]}, 1)
    plugin.idle()
    if plugin.wants_restart:
        plugin.restart()
    else:
        plugin.activate(RATE, BLOCK)
    assert plugin.latency_frames == 512
    sound = np.zeros((CHANNELS, 30 * BLOCK), np.float32)
    sound[:, 100] = 1.0
    out = blocks(plugin, {}, 30, sound)
    assert np.flatnonzero(out[0] > 0.5).tolist() == [100 + 512]
    plugin.close()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_state_is_taken_by_another_one(fixtures: Path, kind: str):
    plugin, other = loaded(fixtures, "synth", kind), loaded(fixtures, "synth", kind)
    blocks(plugin, {0: [turn(plugin, "Gain", 0.25)]}, 1)
    other.restore(plugin.state())
    assert blocks(other, {0: [note(5)]}, 1)[0, 5] == pytest.approx(0.5, abs=1e-3)
    plugin.close()
    other.close()


def test_presets_of_a_clap_plugin_are_those_in_it_and_those_in_its_files(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "Own.odd").write_text("0.75")
    (tmp_path / "Broken.odd").write_text("nothing")
    (tmp_path / "other.txt").write_text("0.9")
    monkeypatch.setenv("ODD_PRESETS", str(tmp_path))
    abouts = {about.id: about for about in clap.scan(fixtures / "odd.clap")}
    assert abouts["odd.presets"].presets == ("Half", "Quarter", "Broken", "Own")
    assert abouts["odd.twin.1"].presets == ()
    plugin = clap.load(fixtures / "odd.clap", "odd.presets")
    plugin.activate(RATE, BLOCK)
    for name, value in (("Half", 0.5), ("Own", 0.75), ("Quarter", 0.25)):
        plugin.load_preset(name)
        assert plugin.value(0) == value
    for name, why in (("None", "has no preset 'None'"), ("Broken", "does not take on its preset 'Broken'")):
        with pytest.raises(PluginError, match=why):
            plugin.load_preset(name)
    plugin.close()


def test_lv2_notes_begin_at_their_frames_and_presets_are_there(lv2_bundle: Callable[[str], Path]):
    plugin = lv2.load(lv2_bundle("mda.lv2"), "http://drobilla.net/plugins/mda/DX10")
    plugin.activate(RATE, BLOCK)
    assert plugin.about.is_instrument
    assert len(plugin.about.presets) == 32
    for offset in (0, 17, 63):
        quiet = blocks(plugin, {0: [(0, MIDI, 0xB0, 120, 0, 0, 0.0)]}, 400)[0, -BLOCK:]
        out = blocks(plugin, {0: [note(offset, 60, 0.8)], 1: [(0, NOTE_OFF, 0, 60, 0, 0, 0.0)]}, 2)
        assert np.abs(quiet).max() < 1e-4
        assert np.flatnonzero(np.abs(out[0]) > 1e-3)[0] - offset in range(8)  # its attack rises over some frames
    before = [plugin.value(index) for index in range(len(plugin.knobs))]
    plugin.load_preset("Clunk Bass")
    assert [plugin.value(index) for index in range(len(plugin.knobs))] != before
    with pytest.raises(PluginError, match="has no preset 'None'"):
        plugin.load_preset("None")
    plugin.close()


def test_an_lv2_state_is_taken_by_another_one_and_nonsense_is_refused(lv2_bundle: Callable[[str], Path]):
    bundle, uri = lv2_bundle("mda.lv2"), "http://drobilla.net/plugins/mda/JX10"
    plugin, other = lv2.load(bundle, uri), lv2.load(bundle, uri)
    for one in (plugin, other):
        one.activate(RATE, BLOCK)
    plugin.load_preset(plugin.about.presets[3])
    other.restore(plugin.state())
    assert [other.value(i) for i in range(len(other.knobs))] == [plugin.value(i) for i in range(len(plugin.knobs))]
    with pytest.raises(PluginError, match="another version"):
        other.restore(b"this is no state")
    other.activate(44100, BLOCK)  # another rate means another instance: what it was turned to stays
    assert other.value(0) == plugin.value(0)
    plugin.close()
    other.close()


@pytest.mark.parametrize("where", ["mono", "stereo"])
def test_a_mono_and_a_stereo_effect_are_heard_on_both_sides(lv2_bundle: Callable[[str], Path], where: str):
    plugin = lv2.load(lv2_bundle({"mono": "ZamDelay.lv2", "stereo": "ZamVerb.lv2"}[where]))
    plugin.activate(RATE, BLOCK)
    sound = np.random.default_rng(1).normal(0, 0.1, (CHANNELS, 20 * BLOCK)).astype(np.float32)
    out = blocks(plugin, {}, 20, sound)
    assert np.isfinite(out).all()
    assert (np.abs(out).max(axis=1) > 0.01).all()
    plugin.close()


def test_a_side_chain_is_known(lv2_bundle: Callable[[str], Path]):
    lv2_bundle("ZamComp.lv2")
    assert clap.load(Path("/usr/lib/clap/ZamComp.clap")).about.has_sidechain
    assert not clap.load(Path("/usr/lib/clap/ZamDelay.clap")).about.has_sidechain


def test_more_events_than_there_is_room_for_are_left_out(fixtures: Path):
    plugin = loaded(fixtures, "synth", "clap")
    events: Sequence[Event] = [note(0, pitch % 128) for pitch in range(5000)]
    assert np.isfinite(blocks(plugin, {0: list(events)}, 2)).all()
    plugin.close()


@pytest.mark.parametrize("name", ["nothing.clap", "nothing.vst3", "nothing.lv2"])
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, name: str):
    path = tmp_path / name
    if path.suffix == ".vst3":
        pytest.importorskip("pedalboard")
    path.write_bytes(b"\x7fELF nothing of the kind")
    with pytest.raises(PluginError, match=name):
        backends.scan(path)
    with pytest.raises(PluginError, match="is not there"):
        backends.scan(tmp_path / f"other{path.suffix}")
    with pytest.raises(PluginError, match="is no plugin"):
        backends.scan(tmp_path / "song.mid")
