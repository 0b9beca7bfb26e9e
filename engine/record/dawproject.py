"""A take as a DAWproject: notes, sound, tempo, metre and chords on one grid, for a studio that opens such files.

Runs on: main process. Source: the format's description and schema, version 1.0 (github.com/bitwig/dawproject, MIT).
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import soundfile

from engine import __version__
from engine.core.errors import SessionError
from engine.record.canvas import palette
from engine.record.session import WAVE
from engine.record.stems import read_late
from engine.record.take import Take

MIX = "mix"
SLOWEST_BPM, FASTEST_BPM = 20, 999


def write(take: Take, path: Path) -> None:
    """Write the take to a file. Raises SessionError where that cannot be."""
    sounds = {name: stem for name, stem in take.stems.items() if "-" not in name}
    sounds[MIX] = take.folder / WAVE
    project = _project(take, sounds)
    meta = ET.Element("MetaData")
    ET.SubElement(meta, "Title").text = take.folder.name
    ET.SubElement(meta, "Producer").text = "Algoritmo"
    part = path.with_name(path.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr("project.xml", _text(project))
            out.writestr("metadata.xml", _text(meta))
            for name, sound in sounds.items():
                out.write(sound, f"audio/{name}.wav", zipfile.ZIP_STORED)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SessionError(
            f"{path}: cannot be written ({error.strerror}); give another place with --dawproject FILE"
        ) from error


def _text(element: ET.Element) -> bytes:
    ET.indent(element)
    return bytes(ET.tostring(element, "UTF-8", xml_declaration=True))


def _number(value: float) -> str:
    """Return a number with all its digits: a millionth of a beat is less than a frame."""
    return f"{value:.9f}".rstrip("0").rstrip(".") or "0"


def _project(take: Take, sounds: dict[str, Path]) -> ET.Element:
    project = ET.Element("Project", version="1.0")
    ET.SubElement(project, "Application", name="Algoritmo", version=__version__)
    transport = ET.SubElement(project, "Transport")
    bpm: dict[str, Any] = {"min": str(SLOWEST_BPM), "max": str(FASTEST_BPM), "unit": "bpm"}
    ET.SubElement(transport, "Tempo", **bpm, value=_number(take.tempos[0].bpm), id="tempo", name="Tempo")
    _, numerator, denominator = take.metres[0]
    metre: dict[str, Any] = {"numerator": str(numerator), "denominator": str(denominator)}
    ET.SubElement(transport, "TimeSignature", **metre, id="metre", name="Time Signature")
    structure = ET.SubElement(project, "Structure")
    arrangement = ET.SubElement(project, "Arrangement", id="arrangement")
    lanes = ET.SubElement(arrangement, "Lanes", timeUnit="beats", id="lanes")
    length = take.beat_at(take.frames)
    for name, notes in take.notes.items():
        if not notes:
            continue
        identity = _track(structure, f"{name} notes", "notes", _colour(take, name), f"notes-{name}")
        clip = _clip(_clips(lanes, identity), name, 0.0, length)
        inside = ET.SubElement(clip, "Notes", id=f"content-{identity}")
        for note in notes:
            begin = take.beat_at(note.begin)
            ET.SubElement(
                inside,
                "Note",
                time=_number(begin),
                duration=_number(take.beat_at(note.end) - begin),
                channel="0",
                key=str(note.pitch),
                vel=_number(note.velocity / 127),
                rel="0.5",
            )
    for name, sound in sounds.items():
        identity = _track(structure, name, "audio", _colour(take, name), f"audio-{name}", heard=name != MIX or len(sounds) == 1)
        info = soundfile.info(str(sound))
        seconds = _number(info.frames / info.samplerate)
        form: dict[str, Any] = {"channels": str(info.channels), "sampleRate": str(info.samplerate), "duration": seconds}
        clips = _clips(lanes, identity)
        late = read_late(take.folder, name) if name != MIX else [(0, 0)]
        ends = [frame for frame, _ in late[1:]] + [info.frames]
        for number, ((begin, frames), end) in enumerate(zip(late, ends, strict=True)):
            # Plugins make it later than its notes; here it lies where these do.
            at, to = take.beat_at(max(begin - frames, 0)), take.beat_at(end - frames)
            if to <= at:
                continue
            clip = _clip(clips, name, at, to - at, max(begin, frames) / info.samplerate)
            audio = ET.SubElement(clip, "Audio", **form, algorithm="raw", id=f"content-{identity}-{number}")
            ET.SubElement(audio, "File", path=f"audio/{name}.wav")
    _master(structure)
    _markers(arrangement, take)
    _automation(arrangement, take)
    return project


def _colour(take: Take, name: str) -> str:
    """Return the colour that a track has on the page."""
    known = palette()
    if name in ("player", MIX):
        return str(known["player" if name == "player" else "network"])
    if name in known["tracks"]:
        return str(known["tracks"][name])
    others = [other for other in take.notes if other not in known["tracks"] and other != "player"]
    return str(known["others"][others.index(name) % len(known["others"])]) if name in others else str(known["network"])


def _track(structure: ET.Element, name: str, content: str, colour: str, identity: str, heard: bool = True) -> str:
    track = ET.SubElement(structure, "Track", name=name, color=colour, contentType=content, loaded="true", id=identity)
    channel = ET.SubElement(
        track,
        "Channel",
        audioChannels="2",
        role="regular",
        solo="false",
        destination="master-channel",
        id=f"channel-{identity}",
    )
    ET.SubElement(channel, "Mute", value="false" if heard else "true", id=f"mute-{identity}", name="Mute")
    ET.SubElement(channel, "Pan", min="0", max="1", unit="normalized", value="0.5", id=f"pan-{identity}", name="Pan")
    ET.SubElement(channel, "Volume", min="0", max="2", unit="linear", value="1", id=f"volume-{identity}", name="Volume")
    return identity


def _master(structure: ET.Element) -> None:
    master = ET.SubElement(structure, "Track", name="Master", contentType="audio notes", loaded="true", id="master")
    channel = ET.SubElement(master, "Channel", audioChannels="2", role="master", solo="false", id="master-channel")
    ET.SubElement(channel, "Volume", min="0", max="2", unit="linear", value="1", id="master-volume", name="Volume")


def _clips(lanes: ET.Element, track: str) -> ET.Element:
    """Return what the clips of a track stand in."""
    lane = ET.SubElement(lanes, "Lanes", track=track, id=f"lane-{track}")
    return ET.SubElement(lane, "Clips", id=f"clips-{track}")


def _clip(clips: ET.Element, name: str, beat: float, beats: float, second: float | None = None) -> ET.Element:
    """Return a clip at a beat, so long, of what begins so many seconds into its content; None: its content is in beats."""
    begin = _number(second or 0.0)
    clip = ET.SubElement(clips, "Clip", time=_number(beat), duration=_number(beats), playStart=begin, name=name)
    if second is not None:
        clip.set("contentTimeUnit", "seconds")
    return clip


def _markers(arrangement: ET.Element, take: Take) -> None:
    if take.markers:
        markers = ET.SubElement(arrangement, "Markers", id="markers")
        for marker in take.markers:
            ET.SubElement(markers, "Marker", time=_number(max(take.beat_at(marker.frame), 0.0)), name=marker.text)


def _automation(arrangement: ET.Element, take: Take) -> None:
    tempo = ET.SubElement(arrangement, "TempoAutomation", unit="bpm", timeUnit="beats", id="tempo-automation")
    ET.SubElement(tempo, "Target", parameter="tempo")
    for at in take.tempos:
        ET.SubElement(tempo, "RealPoint", time=_number(at.beat), value=_number(at.bpm), interpolation="hold")
    metre = ET.SubElement(arrangement, "TimeSignatureAutomation", timeUnit="beats", id="metre-automation")
    ET.SubElement(metre, "Target", parameter="metre")
    for beat, numerator, denominator in take.metres:
        ET.SubElement(metre, "TimeSignaturePoint", time=_number(beat), numerator=str(numerator), denominator=str(denominator))
