"""A take as a DAWproject: what the published schema (version 1.0) allows, and everything on one grid."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import mido
import numpy as np
import pytest
import soundfile

from engine.app.export import export
from engine.app.render import render
from engine.core.config import load
from engine.core.errors import SessionError
from engine.record.take import read

NAMED = {"name", "color", "comment"}
REFERENCEABLE = NAMED | {"id"}
TIMELINE = REFERENCEABLE | {"timeUnit", "track"}
# Of the schema, for the elements that are written here: attributes that must be there, those that may be, children in order
# (a set: any of them, any number, in any order).
SCHEMA: dict[str, tuple[set[str], set[str], list[str] | set[str]]] = {
    "Project": ({"version"}, set(), ["Application", "Transport", "Structure", "Arrangement", "Scenes"]),
    "Application": ({"name", "version"}, set(), []),
    "Transport": (set(), set(), ["Tempo", "TimeSignature"]),
    "Tempo": ({"unit"}, REFERENCEABLE | {"max", "min", "value", "parameterID"}, []),
    "TimeSignature": ({"numerator", "denominator"}, REFERENCEABLE | {"parameterID"}, []),
    "Structure": (set(), set(), {"Track", "Channel"}),
    "Track": (set(), REFERENCEABLE | {"contentType", "loaded"}, ["Channel", "Track"]),
    "Channel": (
        set(),
        REFERENCEABLE | {"audioChannels", "destination", "role", "solo"},
        ["Devices", "Mute", "Pan", "Sends", "Volume"],
    ),
    "Mute": (set(), REFERENCEABLE | {"value", "parameterID"}, []),
    "Pan": ({"unit"}, REFERENCEABLE | {"max", "min", "value", "parameterID"}, []),
    "Volume": ({"unit"}, REFERENCEABLE | {"max", "min", "value", "parameterID"}, []),
    "Arrangement": (set(), REFERENCEABLE, ["Lanes", "Markers", "TempoAutomation", "TimeSignatureAutomation"]),
    "Lanes": (set(), TIMELINE, {"Lanes", "Notes", "Clips", "ClipSlot", "Warps", "Audio", "Video", "Points"}),
    "Clips": (set(), TIMELINE, {"Clip"}),
    "Clip": (
        {"time"},
        NAMED | {"duration", "contentTimeUnit", "playStart", "playStop", "loopStart", "loopEnd", "enable", "reference"},
        {"Lanes", "Notes", "Clips", "Warps", "Audio"},
    ),
    "Notes": (set(), TIMELINE, {"Note"}),
    "Note": ({"time", "duration", "channel", "key"}, {"vel", "rel"}, []),
    "Audio": ({"channels", "sampleRate", "duration"}, TIMELINE | {"algorithm"}, ["File"]),
    "File": ({"path"}, {"external"}, []),
    "Markers": (set(), TIMELINE, {"Marker"}),
    "Marker": ({"time"}, NAMED, []),
    "TempoAutomation": (set(), TIMELINE | {"unit"}, ["Target", "RealPoint"]),
    "TimeSignatureAutomation": (set(), TIMELINE | {"unit"}, ["Target", "TimeSignaturePoint"]),
    "Target": (set(), {"parameter", "expression", "channel", "key", "controller"}, []),
    "RealPoint": ({"time", "value"}, {"interpolation"}, []),
    "TimeSignaturePoint": ({"time", "numerator", "denominator"}, set(), []),
}
WORDS = {
    "unit": {"linear", "normalized", "percent", "decibel", "hertz", "semitones", "seconds", "beats", "bpm"},
    "timeUnit": {"beats", "seconds"},
    "contentTimeUnit": {"beats", "seconds"},
    "role": {"regular", "master", "effect", "submix", "vca"},
    "interpolation": {"hold", "linear"},
}


def check(element: ET.Element) -> None:
    """Hold an element and all in it against the schema."""
    must, may, children = SCHEMA[element.tag]
    assert must <= element.attrib.keys() <= must | may, (element.tag, element.attrib)
    for name, words in WORDS.items():
        assert element.get(name, next(iter(words))) in words
    assert set(element.get("contentType", "notes").split()) <= {"audio", "automation", "notes", "video", "markers", "tracks"}
    found = [child.tag for child in element]
    if isinstance(children, list):
        assert set(found) <= set(children), (element.tag, found)
        assert found == sorted(found, key=children.index), (element.tag, found)
    else:
        assert set(found) <= children, (element.tag, found)
    for child in element:
        check(child)


def song(path: Path) -> Path:
    """Write eight bars with a change of tempo and of metre, and a chord a bar."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    for bar in range(8):
        if bar == 4:
            track.append(mido.MetaMessage("set_tempo", tempo=430_001))
        for pitch in (60, 64, 67):
            track.append(mido.Message("note_on", note=pitch + bar % 3, velocity=90))
        track.append(mido.Message("note_off", note=60 + bar % 3, time=1900))
        for pitch in (64, 67):
            track.append(mido.Message("note_off", note=pitch + bar % 3))
        track.append(mido.Message("note_on", note=72, velocity=1))
        track.append(mido.Message("note_off", note=72, time=20))
    file.save(path)
    return path


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered session with stems."""
    folder = tmp_path_factory.mktemp("take")
    render(load(None, ["session.stems=true"]), song(folder / "in.mid"), folder / "out", 8)
    return folder / "out"


def opened(path: Path) -> tuple[ET.Element, zipfile.ZipFile]:
    """Return the project of a file, and the file."""
    archive = zipfile.ZipFile(path)
    return ET.fromstring(archive.read("project.xml")), archive


def test_a_project_keeps_the_schema_and_its_references(session: Path, tmp_path: Path):
    said = list(export(session, tmp_path / "take.dawproject", None, None, None))
    assert "notes" in said[0]
    project, archive = opened(tmp_path / "take.dawproject")
    check(project)
    identities = [element.get("id") for element in project.iter() if element.get("id")]
    assert len(identities) == len(set(identities))
    for name in ("track", "destination", "parameter"):
        assert {e.get(name) for e in project.iter() if e.get(name)} <= set(identities), name
    files = {e.get("path") for e in project.iter("File")}
    assert files < set(archive.namelist())
    assert {"audio/mix.wav", "audio/drums.wav", "audio/player.wav"} <= files
    assert ET.fromstring(archive.read("metadata.xml")).tag == "MetaData"
    colours = [e.get("color") for e in project.iter("Track") if e.get("color")]
    assert all(re.fullmatch("#[0-9a-f]{6}", str(colour)) for colour in colours)


def test_notes_chords_and_sound_lie_on_one_grid_to_the_frame(session: Path, tmp_path: Path):
    take = read(session)
    list(export(session, tmp_path / "take.dawproject", None, None, None))
    project, archive = opened(tmp_path / "take.dawproject")
    points = [(float(p.get("time", "")), float(p.get("value", ""))) for p in project.iter("RealPoint")]
    assert len(points) >= 2

    def frame_of(beat: float) -> float:
        """The frame of a beat by the project's own tempo automation, as a studio computes it."""
        frame, at, bpm = 0.0, 0.0, points[0][1]
        for begin, tempo in points:
            if begin > beat:
                break
            frame += (begin - at) * 60 / bpm * take.rate_hz
            at, bpm = begin, tempo
        return frame + (beat - at) * 60 / bpm * take.rate_hz

    written = 0
    for lanes in project.iter("Lanes"):
        name = (lanes.get("track") or "").removeprefix("notes-")
        notes = [n for inside in lanes.findall("Clips/Clip/Notes") for n in inside]
        for note, known in zip(notes, take.notes.get(name, []) if notes else [], strict=True):
            begin = float(note.get("time", ""))
            assert abs(frame_of(begin) - known.begin) < 0.1
            assert abs(frame_of(begin + float(note.get("duration", ""))) - known.end) < 0.1
            written += 1
    assert written == sum(map(len, take.notes.values())) > 50
    markers = [float(m.get("time", "")) for m in project.iter("Marker")]
    assert [round(frame_of(beat)) for beat in markers] == [marker.frame for marker in take.markers]
    assert markers
    for audio in project.iter("Audio"):
        inside = archive.read(audio.find("File").get("path"))  # type: ignore[union-attr]
        sound, rate = soundfile.read(io.BytesIO(inside))
        assert len(sound) == take.frames == round(float(audio.get("duration", "")) * rate)


def test_a_stem_begins_to_sound_with_its_first_note(session: Path):
    take = read(session)
    for name in ("drums", "player"):
        sound, _ = soundfile.read(str(take.stems[name]))
        heard = int(np.flatnonzero(np.abs(sound).max(axis=1) > 1e-4)[0])
        assert -64 < heard - take.notes[name][0].begin < 480, name  # a patch begins with the block; then its attack


def test_stems_mp3_and_flac(session: Path, tmp_path: Path):
    list(export(session, None, tmp_path / "stems", tmp_path / "take.mp3", tmp_path / "take.flac"))
    assert {p.stem for p in (tmp_path / "stems").iterdir()} == set(read(session).stems)
    whole, _ = soundfile.read(str(session / "session.wav"))
    kept, _ = soundfile.read(str(tmp_path / "take.flac"))
    assert np.array_equal(whole, kept), "nothing is lost"
    pressed, _ = soundfile.read(str(tmp_path / "take.mp3"))
    assert len(pressed) >= len(whole) - 3000
    assert abs(np.std(pressed) / np.std(whole) - 1) < 0.05


def test_what_is_missing_is_told(session: Path, tmp_path: Path):
    with pytest.raises(SessionError, match="give the folder of a session"):
        list(export(tmp_path, None, None, None, None))
    with pytest.raises(SessionError, match="cannot be written"):
        list(export(session, tmp_path / "not" / "there.dawproject", None, None, None))
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("session.wav", "session.mid", "feed.bin"):
        (bare / name).write_bytes((session / name).read_bytes())
    with pytest.raises(SessionError, match=r"session\.stems = true"):
        list(export(bare, None, tmp_path / "none", None, None))
    assert "one sound" in next(iter(export(bare, None, None, None, None)))
    check(opened(bare / "bare.dawproject")[0])
