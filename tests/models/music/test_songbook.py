"""Chord sequences from annotations, lead sheets and MIDI chord tracks, one chord a beat."""

import io
import zipfile

import numpy as np
import pytest
import symusic

from models.chords.trigram import Trigram
from models.music.chord_symbols import SILENCE, Classes
from models.music.data import split_of
from models.music.representation import SongError, read_song
from models.music.songbook import ChordSong, qualities_of, read_billboard, read_chord_track, read_musicxml, read_songs

HEAD = "# title: A Song\n# artist: Somebody\n# metre: 4/4\n# tonic: C\n\n0.0\tsilence\n"
C, G, AM, N = (0, "maj"), (7, "maj"), (9, "min"), SILENCE


def test_billboard_bars_are_filled_to_their_beats():
    text = HEAD + "0.1\tA, intro, | C:maj | C:maj G:maj | N . A:min G:maj |, (voice\n9.0\tend\n"
    title, chords, position = read_billboard(text)
    assert title == "somebody a song"
    assert chords == [C] * 4 + [C, C, G, G] + [N, N, AM, G]
    assert position == list(range(12))


def test_a_short_bar_keeps_the_next_on_its_downbeat():
    _, chords, position = read_billboard(HEAD + "1.0\tB, | C:maj | (2/4) G:maj | A:min |\n")
    assert chords == [C] * 4 + [G] * 2 + [AM] * 4
    assert position == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]


def test_a_line_is_repeated_as_often_as_it_says():
    _, chords, _ = read_billboard(HEAD + "1.0\tA, | C:maj | G:maj | x3\n")
    assert chords == ([C] * 4 + [G] * 4) * 3


@pytest.mark.parametrize(
    ("line", "reason"), [("| C:maj G:maj A:min |", "a bar that does not divide"), ("| C:funny |", "unknown chord symbol")]
)
def test_bars_that_cannot_be_read_are_refused(line, reason):
    with pytest.raises(SongError) as caught:
        read_billboard(HEAD + f"1.0\tA, {line}\n")
    assert caught.value.reason == reason


def measure(number, *content):
    return f"<measure number='{number}'>{''.join(content)}</measure>"


def harmony(step, kind, offset=None):
    after = f"<offset>{offset}</offset>" if offset else ""
    return f"<harmony><root><root-step>{step}</root-step></root><kind>{kind}</kind>{after}</harmony>"


def note(quarters):
    return f"<note><pitch><step>C</step><octave>5</octave></pitch><duration>{quarters * 2}</duration></note>"


def sheet(*measures, metre=(4, 4)):
    time = f"<time><beats>{metre[0]}</beats><beat-type>{metre[1]}</beat-type></time>"
    head = f"<attributes><divisions>2</divisions>{time}</attributes>"
    body = "".join(measures).replace("'>", f"'>{head}", 1)
    return f"<score-partwise><part id='P1'>{body}</part></score-partwise>".encode()


def test_lead_sheet_with_a_pickup():
    """The pickup's beat is left out, so that the first chord stands on a downbeat."""
    data = sheet(
        measure(0, note(1)),
        measure(1, harmony("C", "major"), note(2), harmony("G", "major"), note(2)),
        measure(2, harmony("A", "minor"), note(4)),
    )
    chords, position = read_musicxml(data)
    assert chords == [C, C, G, G, AM, AM, AM, AM]
    assert position == list(range(8))


def test_a_compressed_lead_sheet_reads_the_same():
    data = sheet(measure(1, harmony("C", "major"), note(4)), measure(2, harmony("G", "major", offset=4), note(4)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr("song.xml", data)
    assert read_musicxml(packed.getvalue()) == read_musicxml(data)
    assert read_musicxml(data)[0] == [C] * 6 + [G] * 2


def test_lead_sheets_that_cannot_be_used_are_refused():
    for data, reason in (
        (sheet(measure(1, harmony("C", "major"), note(3)), metre=(3, 4)), "odd metre"),
        (sheet(measure(1, note(4))), "no chords"),
        (sheet(measure(1, harmony("C", "Tristan"), note(4))), "unknown chord symbol"),
        (b"PK broken", "unreadable"),
        (b"<score", "unreadable"),
    ):
        with pytest.raises(SongError) as caught:
            read_musicxml(data)
        assert caught.value.reason == reason


def chord_track(beats, numerator=4, denominator=4, quarters=1.0):
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, numerator, denominator))
    track = symusic.Track("chords", 0, False)
    for at, pitches in enumerate(beats):
        for pitch in pitches:
            track.notes.append(symusic.Note(int(at * quarters * 480), int(quarters * 480), pitch, 80))
    score.tracks.append(track)
    return bytes(score.dumps_midi())


def test_chord_track_in_six_eight_has_two_beats_a_bar():
    triads = [[48, 52, 55], [48, 52, 55], [43, 47, 50], [45, 48, 52]]
    chords, _ = read_chord_track(read_song(chord_track(triads, 6, 8, 1.5)))
    assert chords == [C, C, G, AM]


def test_the_same_song_in_another_key_counts_once(tmp_path):
    song = [[48, 52, 55], [43, 47, 50], [48, 52, 55], [45, 48, 52]] * 8
    for name, up in (("a", 0), ("b", 5)):
        (tmp_path / f"{name}.mid").write_bytes(chord_track([[p + up for p in chord] for chord in song]))
    (tmp_path / "other.mid").write_bytes(chord_track(song[::-1]))
    (tmp_path / "third.mid").write_bytes(chord_track(song[1:] + song[:3]))
    book = read_songs([tmp_path])
    assert book.files == 4
    assert book.refused["the same sequence as another"] == 1


def test_a_folder_without_chords_says_so(tmp_path):
    with pytest.raises(ValueError, match="there is no chord file"):
        read_songs([tmp_path])


def test_the_set_of_chords_comes_from_the_songs():
    songs = [ChordSong("x", "train", ((0, "maj"),) * 5000 + ((2, "7"),) * 10 + ((4, "dim"),), np.arange(5011))]
    assert qualities_of(songs) == ["maj", "min", "7"]


def test_trigram_is_a_distribution_and_knows_no_key():
    classes = Classes(["maj", "min"])
    song = np.asarray([classes.of(c) for c in (C, C, G, G, AM, AM, C, G) * 6])
    model = Trigram.fit([song], [classes.moved(song, 3)], len(classes))
    context = [classes.of(C), classes.of(G)]
    total = sum(np.exp(-model.nats(np.asarray([*context, last]))[-1]) for last in range(len(classes)))
    assert total == pytest.approx(1.0, abs=1e-6)
    assert model.nats(song)[2:] == pytest.approx(model.nats(classes.moved(song, 7))[2:])
    assert np.exp(model.nats(song)[3:].mean()) < 3


def test_drums_are_no_harmony(tmp_path):
    song = [[48, 52, 55], [43, 47, 50], [48, 52, 55], [45, 48, 52]] * 8
    score = symusic.Score.from_midi(chord_track(song))
    drums = symusic.Track("drums", 0, True)
    for beat in range(32):
        drums.notes.append(symusic.Note(480 * beat, 240, 36 if beat % 2 else 38, 90))
    score.tracks.insert(0, drums)
    with_drums = bytes(score.dumps_midi())
    assert read_chord_track(read_song(with_drums)) == read_chord_track(read_song(chord_track(song)))
    del score.tracks[1]
    with pytest.raises(SongError, match="only drums"):
        read_chord_track(read_song(bytes(score.dumps_midi())))


@pytest.mark.parametrize("name", ["song0.mid", "song3.MID", "song5.kar", "d.mid"])
def test_one_song_is_read_whatever_split_its_name_falls_into(tmp_path, name):
    (tmp_path / name).write_bytes(chord_track([[48, 52, 55], [43, 47, 50]] * 16))
    assert len(read_songs([tmp_path]).songs) == 1
    assert {split_of(f"{n}.mid", None) for n in ("song0", "song3", "song5")} == {"train", "valid", "test"}


def test_one_bad_file_is_refused_by_name_and_the_others_are_used(tmp_path):
    (tmp_path / "good.mid").write_bytes(chord_track([[48, 52, 55], [43, 47, 50]] * 16))
    (tmp_path / "bad.mid").write_bytes(b"nonsense")
    (tmp_path / "div.musicxml").write_bytes(
        b"<score-partwise><part><measure><attributes><divisions>0</divisions></attributes></measure></part></score-partwise>"
    )
    book = read_songs([tmp_path])
    assert len(book.songs) == 1
    assert sorted(book.refusals) == [str(tmp_path / "bad.mid"), str(tmp_path / "div.musicxml")]
    assert book.facts()["refused_files"] == book.refusals
