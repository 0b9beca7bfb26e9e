"""Lead sheets: melody, ties, chords, pickups, and what is refused."""

import io
import zipfile

import numpy as np
import pytest

from models.music.data import read_band
from models.music.musicxml import read_lead_sheet
from models.music.representation import HELD, ONSET, SongError, assign_roles, quantise, sections
from models.music.songbook import read_songs


def note(step, octave, quarters, tie="", chord=False):
    ties = "".join(f'<tie type="{t}"/>' for t in tie.split())
    together = "<chord/>" if chord else ""
    return (
        f"<note>{together}<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
        f"<duration>{round(quarters * 4)}</duration>{ties}</note>"
    )


def harmony(step, kind):
    return f"<harmony><root><root-step>{step}</root-step></root><kind>{kind}</kind></harmony>"


def sheet(*measures, beats=4, beat_type=4):
    metre = f"<time><beats>{beats}</beats><beat-type>{beat_type}</beat-type></time>"
    time = f"<attributes><divisions>4</divisions>{metre}</attributes>"
    bars = "".join(f"<measure>{time if i == 0 else ''}{m}</measure>" for i, m in enumerate(measures))
    return f"<score-partwise><part>{bars}</part></score-partwise>".encode()


WHOLE = note("E", 5, 4)


def test_melody_and_chords_become_lead_and_chords():
    song = read_lead_sheet(sheet(harmony("C", "major") + note("E", 5, 2) + note("G", 5, 2), harmony("G", "dominant") + WHOLE))
    lead, chords = song.parts
    assert (lead.name, chords.name) == ("lead", "chords")
    assert list(zip(lead.start, lead.end, lead.pitch, strict=True)) == [(0, 2, 76), (2, 4, 79), (4, 8, 76)]
    first = chords.pitch[chords.start == 0]
    assert set(first % 12) == {0, 4, 7}
    assert first.min() % 12 == 0
    assert set(chords.pitch[chords.start == 4] % 12) == {7, 11, 2, 5}
    assert set(chords.end) == {4, 8}
    assert assign_roles(song.parts) == ["lead", "chords"]


def test_tied_notes_are_one_and_notes_together_begin_together():
    first = harmony("C", "major") + note("C", 5, 3) + note("E", 5, 1, "start") + note("G", 5, 1, chord=True)
    song = read_lead_sheet(sheet(first, note("E", 5, 4, "stop")))
    lead = song.parts[0]
    assert list(zip(lead.start, lead.end, lead.pitch, strict=True)) == [(0, 3, 72), (3, 8, 76), (3, 4, 79)]


def test_a_pickup_ends_before_the_first_downbeat():
    song = read_lead_sheet(sheet(note("G", 4, 1), *[harmony("C", "major") + WHOLE] * 8))
    assert sections(song) == [(1.0, 33.0)]
    roll = quantise(song.parts, assign_roles(song.parts), 1.0, 33.0)[0]
    struck = np.flatnonzero((roll[:, 140:] == ONSET).any(1))
    assert struck.tolist() == list(range(0, 128, 16))
    assert (roll[1, 140:] == HELD).any()


def test_compressed_sheets_are_read_and_tell_of_their_own_tracks_only(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr("score.xml", sheet(*[harmony("C", "major") + WHOLE] * 9))
    (tmp_path / "song.mxl").write_bytes(packed.getvalue())
    (tmp_path / "waltz.musicxml").write_bytes(sheet(*[harmony("C", "major") + note("E", 5, 3)] * 9, beats=3))
    found = read_band([tmp_path])
    piece, waltz = found.pieces
    assert piece.unknown == waltz.unknown == ("drums", "bass", "pad")
    assert (len(piece.roll), piece.metre.name) == (144, "4/4")
    assert (len(waltz.roll), waltz.metre.name) == (108, "3/4")
    assert not found.refused


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not xml", "unreadable"),
        (b"PK not a zip", "unreadable"),
        (b"<score-partwise/>", "unreadable"),
        (sheet(WHOLE), "no chords"),
        (sheet(harmony("C", "major") + "<note><rest/><duration>16</duration></note>"), "no notes"),
        (sheet(harmony("H", "major") + WHOLE), "unknown chord symbol"),
        (sheet(harmony("C", "major") + WHOLE).replace(b"<divisions>4", b"<divisions>0.0"), "unreadable"),
        (b"<score-partwise><part><measure>" + WHOLE.encode() + b"</measure></part></score-partwise>", "no metre"),
    ],
)
def test_what_is_no_lead_sheet_is_refused_with_the_reason(data, reason):
    with pytest.raises(SongError) as refused:
        read_lead_sheet(data)
    assert refused.value.reason == reason


def packed(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return out.getvalue()


EIGHT = sheet(*[harmony("C", "major") + WHOLE] * 8)


def test_the_score_of_an_archive_is_the_one_that_its_container_names():
    container = '<container><rootfiles><rootfile full-path="music/score.xml"/></rootfiles></container>'
    both = {"about_xml": "<about/>", "music__score_xml": EIGHT}
    assert len(read_lead_sheet(packed(**{"META-INF__container_xml": container}, **both)).parts) == 2
    for broken in ("<container", '<container><rootfile full-path="gone.xml"/></container>'):
        assert len(read_lead_sheet(packed(**{"META-INF__container_xml": broken}, score_xml=EIGHT)).parts) == 2


@pytest.mark.parametrize("name", ["a.xml", "A.XML", "a.MusicXML", "a.MXL", "plain.mxl"])
def test_sheets_are_found_by_whatever_name_they_have(tmp_path, name):
    data = packed(score_xml=EIGHT) if name == "a.MXL" else EIGHT
    (tmp_path / name).write_bytes(data)
    assert read_band([tmp_path]).used == 1
    assert len(read_songs([tmp_path]).songs) == 1


def test_a_score_in_utf_16_and_one_ordered_by_measures_are_read(tmp_path):
    wide = "<?xml version='1.0' encoding='utf-16'?>" + EIGHT.decode()
    (tmp_path / "wide.xml").write_bytes(wide.encode("utf-16"))
    assert read_band([tmp_path]).used == 1
    turned = EIGHT.replace(b"<part>", b"").replace(b"</part>", b"").replace(b"partwise", b"timewise")
    turned = turned.replace(b"<measure>", b"<measure><part>").replace(b"</measure>", b"</part></measure>")
    plain, timewise = read_lead_sheet(EIGHT), read_lead_sheet(turned)
    assert [p.pitch.tolist() for p in timewise.parts] == [p.pitch.tolist() for p in plain.parts]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"<divisions>4</divisions>", b"<divisions>0</divisions>", "0 divisions to a quarter note"),
        (b"<divisions>4</divisions>", b"<divisions>x</divisions>", "could not convert"),
        (b"<step>E</step>", b"<step>H</step>", "H"),
        (b"<beats>4</beats><beat-type>4</beat-type>", b"<senza-misura/>", "no metre"),
        (b"<beats>4</beats>", b"<beats>four</beats>", "invalid literal"),
        (b"<octave>5</octave>", b"<octave/>5", ""),
    ],
)
def test_a_damaged_score_costs_itself_and_no_other(tmp_path, old, new, why):
    (tmp_path / "bad.musicxml").write_bytes(EIGHT.replace(old, new))
    (tmp_path / "good.musicxml").write_bytes(EIGHT)
    found = read_band([tmp_path])
    assert found.used == (1 if why else 2)
    assert why in " ".join(found.refusals.values())
    assert read_songs([tmp_path]).songs
