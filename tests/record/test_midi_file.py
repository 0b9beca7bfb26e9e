"""The MIDI file: whole at every moment, in time with the sound, with nothing left hanging."""

import dataclasses
from dataclasses import replace

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import SessionError
from engine.core.messages import ALL_OFF, CONTROL, EVENT, NOTE_OFF, NOTE_ON, PITCH_BEND, PLAYER, PRESSURE, WITHDRAWN
from engine.core.metre import parse
from engine.record.midi_file import TICKS, MidiFile
from engine.transport.timeline import BeatTimeline
from tests.feed.fakes import make_card

RATE = 48000


def events(*tuples):
    return np.array([(f, -1, k, t, p, v, b) for f, k, t, p, v, b in tuples], EVENT)


def note(frame, kind, track, pitch, velocity=80):
    return (frame, kind, track, pitch, velocity, 0)


def new(tmp_path, card=None):
    return MidiFile(tmp_path / "session.mid", card or make_card(), RATE, 120)


def seconds(path):
    """Return {track name: [(seconds, message)]} of everything that is no meta event."""
    file = mido.MidiFile(path)
    tempi, now = [(0, 0.0, 500000)], 0
    for message in file.tracks[0]:
        now += message.time
        if message.type == "set_tempo":
            tick, second, us = tempi[-1]
            tempi.append((now, second + (now - tick) * us * 1e-6 / TICKS, message.tempo))
    found = {}
    for track in file.tracks[1:]:
        now, out = 0, []
        for message in track:
            now += message.time
            tick, second, us = next(t for t in reversed(tempi) if t[0] <= now)
            if not message.is_meta:
                out.append((second + (now - tick) * us * 1e-6 / TICKS, message))
        found[track.name] = out
    return found


def beats(path, name):
    now, out = 0, []
    for message in next(t for t in mido.MidiFile(path).tracks if t.name == name):
        now += message.time
        if message.type == "note_on":
            out.append(now / TICKS)
    return out


def metres(path):
    """Return (beat, numerator, denominator) of each time signature."""
    now, out = 0, []
    for message in mido.MidiFile(path).tracks[0]:
        now += message.time
        if message.type == "time_signature":
            out.append((now / TICKS, message.numerator, message.denominator))
    return out


def tempi_bpm(path):
    return [mido.tempo2bpm(m.tempo) for m in mido.MidiFile(path).tracks[0] if m.type == "set_tempo"]


def test_player_and_tracks_have_names_and_drums_have_channel_10(tmp_path):
    file = new(tmp_path)
    file.hear(events(*(note(100, NOTE_ON, t, 40) for t in (0, 1, 2, 3, 4, PLAYER))))
    file.write(48000, final=True)
    found = seconds(tmp_path / "session.mid")
    assert list(found) == ["player", "drums", "bass", "chords", "pad", "lead"]
    channels = {name: {m.channel + 1 for _, m in messages} for name, messages in found.items()}
    assert channels["drums"] == {10}
    assert len(set.union(*channels.values())) == 6
    assert mido.MidiFile(tmp_path / "session.mid").type == 1


def test_notes_still_sounding_are_closed_in_every_version(tmp_path):
    file = new(tmp_path)
    file.hear(events(note(0, NOTE_ON, 1, 40), note(0, NOTE_ON, 1, 43), note(24000, NOTE_OFF, 1, 43)))
    for end in (48000, 96000):
        file.write(end)
        bass = seconds(tmp_path / "session.mid")["bass"]
        assert [m.type for _, m in bass] == ["note_on", "note_on", "note_off", "note_off"]
        assert bass[-1][0] == pytest.approx(end / RATE, abs=0.001)


def test_what_is_no_note_of_a_known_track_is_left_out(tmp_path):
    file = new(tmp_path)
    file.hear(events(note(1, WITHDRAWN, 0, 1), note(1, NOTE_ON, 77, 60), note(2, NOTE_OFF, 1, 60)))
    file.write(100, final=True)
    assert not any(seconds(tmp_path / "session.mid").values())


def test_controllers_and_bends_of_the_player_are_kept(tmp_path):
    file = new(tmp_path)
    file.hear(
        events((10, CONTROL, PLAYER, 64, 127, 0), (20, PITCH_BEND, PLAYER, 0, 0, -1.0), (30, PITCH_BEND, PLAYER, 0, 0, 1.0))
    )
    file.write(100, final=True)
    pedal, down, up = (m for _, m in seconds(tmp_path / "session.mid")["player"])
    assert (pedal.control, pedal.value) == (64, 127)
    assert (down.pitch, up.pitch) == (-8192, 8191)


def lane_event(frame, lane, kind, pitch, velocity=0, bend=0.0):
    return np.array([(frame, -1 - lane, kind, PLAYER, pitch, velocity, bend)], EVENT)


def test_each_finger_has_a_channel_that_nothing_else_uses_and_says_its_range_once(tmp_path):
    file = new(tmp_path)
    for event in (
        lane_event(0, 0, NOTE_ON, 60, 90),
        lane_event(1, 1, PITCH_BEND, 0, 50, 0.5),
        lane_event(2, 1, NOTE_ON, 64, 80),
        lane_event(3, 2, NOTE_ON, 67, 80),
        lane_event(4, 1, PITCH_BEND, 0, 50, -0.5),
        lane_event(5, 1, PRESSURE, 255, 33),
        lane_event(6, 1, PRESSURE, 64, 34),
        lane_event(7, 1, CONTROL, 74, 35),
        lane_event(8, 0, NOTE_OFF, 64),
    ):
        file.hear(event)
    file.write(100, final=True)
    found = [m for _, m in seconds(tmp_path / "session.mid")["player"]]
    others = {t.channel for t in file._tracks.values()}
    first, second = (next(m.channel for m in found if m.type == "note_on" and m.note == pitch) for pitch in (64, 67))
    assert len({first, second} | others | {9}) == len(others | {9}) + 2
    assert next(m.channel for m in found if m.type == "note_on" and m.note == 60) == 0
    of_first = [m for m in found if m.channel == first]
    controls = [(m.control, m.value) for m in of_first if m.type == "control_change"]
    assert controls == [(101, 0), (100, 0), (6, 50), (38, 0), (101, 127), (100, 127), (74, 35)]
    assert [m.pitch for m in of_first if m.type == "pitchwheel"] == [4096, -4096]
    assert [m.value for m in of_first if m.type in ("aftertouch", "polytouch")] == [33, 34]
    assert of_first[-1].type == "note_off"  # wherever the end came from


def test_all_off_ends_the_network_and_leaves_the_player(tmp_path):
    file = new(tmp_path)
    file.hear(events(note(0, NOTE_ON, 1, 40), note(0, NOTE_ON, PLAYER, 60), note(48000, ALL_OFF, PLAYER, 0)))
    file.write(96000, final=True)
    found = seconds(tmp_path / "session.mid")
    assert found["bass"][-1][0] == pytest.approx(1.0, abs=0.001)
    assert found["player"][-1][0] == pytest.approx(2.0, abs=0.001)


def test_bars_of_the_timeline_are_bars_of_the_file(tmp_path):
    file = new(tmp_path)
    line = BeatTimeline(12345.0, -4.0, 112.0, RATE)  # one bar of count-in, begun somewhere
    file.follow([line])
    file.hear(events(*(note(round(line.frame_at(b)), NOTE_ON, 1, 40) for b in (0, 4, 8))))
    file.write(round(line.frame_at(9)), final=True)
    first, second, third = beats(tmp_path / "session.mid", "bass")
    # 0.257 s at 112 bpm are 0.48 beats: a bar of an eighth.
    assert metres(tmp_path / "session.mid") == [(0, 1, 8), (0.5, 4, 4)]
    assert first == pytest.approx(4.5, abs=0.01)
    assert (second - first, third - second) == (pytest.approx(4, abs=0.01), pytest.approx(4, abs=0.01))
    assert seconds(tmp_path / "session.mid")["bass"][0][0] == pytest.approx(line.frame_at(0) / RATE, abs=0.001)


def test_what_lies_before_the_first_beat_is_a_bar_of_its_own(tmp_path):
    file = new(tmp_path)
    line = BeatTimeline(4800.0, 0.0, 112.0, RATE)  # a tenth of a second
    file.follow([line])
    file.hear(events(*(note(round(line.frame_at(b)), NOTE_ON, 1, 40) for b in (0, 0.25, 0.5, 1, 5))))
    file.write(round(line.frame_at(9)), final=True)
    # 0.1 s at 112 bpm are 0.187 beats, and so are three 64ths: nobody's tempo map begins with a bar at 2400 bpm.
    assert metres(tmp_path / "session.mid") == [(0, 3, 64), (0.1875, 4, 4)]
    assert beats(tmp_path / "session.mid", "bass") == pytest.approx([0.1875 + b for b in (0, 0.25, 0.5, 1, 5)], abs=0.002)
    assert tempi_bpm(tmp_path / "session.mid") == pytest.approx([112, 112], rel=0.01)


@pytest.mark.parametrize("lead_in_s", [0.02, 0.05, 0.1, 0.25, 0.5, 0.9, 3.0])
@pytest.mark.parametrize("tempo", [20, 56, 112, 230, 400])
def test_the_short_bar_before_the_first_beat_has_about_the_tempo_of_the_rest(tmp_path, lead_in_s, tempo):
    file = new(tmp_path)
    line = BeatTimeline(lead_in_s * RATE, -4.0, tempo, RATE)
    file.follow([line])
    file.hear(events(*(note(round(line.frame_at(b)), NOTE_ON, 1, 40) for b in (0, 4))))
    file.write(round(line.frame_at(9)), final=True)
    found = tempi_bpm(tmp_path / "session.mid")
    assert max(found) <= tempo * max(1.2, 0.0625 * 60 / (lead_in_s * tempo) * 1.02)
    assert seconds(tmp_path / "session.mid")["bass"][0][0] == pytest.approx(line.frame_at(0) / RATE, abs=0.003)
    (_, numerator, denominator), (bars_begin, *four) = metres(tmp_path / "session.mid")
    assert (bars_begin, four) == (4 * numerator / denominator, [4, 4])
    first, second = beats(tmp_path / "session.mid", "bass")
    assert (first - bars_begin) % 4 == pytest.approx(0, abs=0.01) or (first - bars_begin) % 4 == pytest.approx(4, abs=0.01)
    assert second - first == pytest.approx(4, abs=0.01)


def test_a_metre_that_changes_is_written_where_it_does(tmp_path):
    file = new(tmp_path)
    line = BeatTimeline(4800.0, -1.0, 120.0, RATE, numerator=1, denominator=4)
    four = dataclasses.replace(line, frame=line.frame_at(0), beat=0.0, numerator=4)
    three = dataclasses.replace(four, frame=four.frame_at(8), beat=8.0, numerator=3, bar=3, bar_beat=8.0)
    file.follow([line, four, three])
    file.write(round(three.frame_at(12)), final=True)
    lead = 3 / 16
    assert metres(tmp_path / "session.mid") == [(0, 3, 64), (lead, 1, 4), (lead + 1, 4, 4), (lead + 9, 3, 4)]


def test_a_metre_is_told_a_step_before_and_can_be_taken_back(tmp_path):
    file = new(tmp_path)
    line = BeatTimeline(0.0, 0.0, 120.0, RATE)
    before = dataclasses.replace(line, frame=line.frame_at(7.75), beat=7.75)
    three = before.in_metre(parse("3/4"), 8.0)
    waltz = dataclasses.replace(three, frame=three.frame_at(10.75), beat=10.75).in_metre(parse("6/8"), 11.0)
    faster = waltz.with_tempo(180.0, 11.0)
    file.follow([line, three])
    file.write(round(line.frame_at(7.8)))
    assert metres(tmp_path / "session.mid") == [(0, 4, 4)]
    file.follow([before, three, waltz, faster])
    file.write(round(faster.frame_at(14)), final=True)
    assert metres(tmp_path / "session.mid") == [(0, 4, 4), (8, 3, 4), (11, 6, 8)]


def test_tempo_change_is_one_bend(tmp_path):
    file = new(tmp_path)
    line = BeatTimeline(0.0, 0.0, 120.0, RATE)
    slower = line.with_tempo(90.0, 4.0)
    file.follow([line])
    file.hear(events(note(round(line.frame_at(2)), NOTE_ON, 1, 40)))
    file.follow([slower, slower])
    file.hear(events(note(round(slower.frame_at(8)), NOTE_ON, 1, 40)))
    file.write(round(slower.frame_at(9)), final=True)
    tempi = [m.tempo for m in mido.MidiFile(tmp_path / "session.mid").tracks[0] if m.type == "set_tempo"]
    assert tempi[-1] == round(60e6 / 90)
    assert set(tempi) == {500000, round(60e6 / 90)}
    assert beats(tmp_path / "session.mid", "bass") == pytest.approx([2, 8], abs=0.01)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(30, 300),  # tempo
            st.floats(0.3, 8.0),  # seconds until the next change
            st.floats(-9, 9).map(lambda b: round(b, 1)),  # beats the phase jumps by
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_seconds_are_those_of_the_sound_however_the_beat_jumps(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("jump")
    file = new(path)
    frame, heard = 1000.0, []
    line = BeatTimeline(frame, 0.0, 120.0, RATE)
    for tempo, length_s, jump, jumps in changes:
        beat = line.beat_at(frame)
        line = BeatTimeline(frame, beat + jump, tempo, RATE) if jumps else line.with_tempo(tempo, beat)
        file.follow([line])
        for share in (0.05, 0.4, 0.9):
            at = round(frame + share * length_s * RATE)
            file.hear(events(note(at, NOTE_ON, 1, 40), note(at + 100, NOTE_OFF, 1, 40)))
            heard += [at / RATE]
        frame += length_s * RATE
    file.write(round(frame), final=True)
    found = [s for s, m in seconds(path / "session.mid")["bass"] if m.type == "note_on"]
    assert found == pytest.approx(heard, abs=0.0015)  # ticks at 30 bpm


def test_beat_and_bars_agree_again_one_beat_after_a_jump(tmp_path):
    file = new(tmp_path)
    line = BeatTimeline(0.0, 0.0, 120.0, RATE)
    jumped = BeatTimeline(480000.0, 3.3, 120.0, RATE)
    file.follow([line])
    file.hear(events(note(479000, NOTE_ON, 1, 40)))
    file.follow([jumped])
    file.hear(events(note(round(jumped.frame_at(8)), NOTE_ON, 1, 40)))
    file.write(600000, final=True)
    assert beats(tmp_path / "session.mid", "bass")[-1] % 4 == pytest.approx(0, abs=0.02)


def test_while_the_beat_stands_the_ticks_go_on_and_bar_1_is_a_bar_again(tmp_path):
    file = new(tmp_path)
    line = BeatTimeline(0.0, 0.0, 120.0, RATE)
    stopped = BeatTimeline(250000.0, line.beat_at(250000), 120.0, RATE, playing=False)
    again = BeatTimeline(400000.0, 12.0, 120.0, RATE, began=16.0, bar_beat=16.0)  # with a count-in
    file.follow([line])
    file.hear(events(note(24000, NOTE_ON, 1, 40)))
    file.follow([stopped])
    file.hear(events(note(300000, NOTE_ON, PLAYER, 60), note(350000, NOTE_OFF, PLAYER, 60)))  # he plays on
    file.follow([again])
    heard = [round(again.frame_at(b)) for b in (16, 17, 20)]
    file.hear(events(*(note(frame, NOTE_ON, 1, 41) for frame in heard)))
    file.write(heard[-1] + 1000, final=True)
    found = seconds(tmp_path / "session.mid")
    assert [s for s, m in found["player"]] == pytest.approx([300000 / RATE, 350000 / RATE], abs=0.001)
    assert [s for s, m in found["bass"] if m.type == "note_on"][1:] == pytest.approx([f / RATE for f in heard], abs=0.001)
    first, second, third = beats(tmp_path / "session.mid", "bass")[1:]
    assert first % 4 == pytest.approx(0, abs=0.01)
    assert (second - first, third - first) == (pytest.approx(1, abs=0.01), pytest.approx(4, abs=0.01))


def test_a_metre_is_written_where_it_begins(tmp_path):
    file = new(tmp_path)
    line = BeatTimeline(0.0, 0.0, 120.0, RATE, numerator=3)
    other = replace(line, frame=line.frame_at(9), beat=9.0, bar_beat=9.0, bar=4, numerator=6, denominator=8)
    file.follow([line])
    file.hear(events(note(round(line.frame_at(8)), NOTE_ON, 1, 40)))
    file.follow([other])
    file.hear(events(note(round(line.frame_at(9)), NOTE_ON, 1, 40)))
    for path, go_on in ((tmp_path, True), (tmp_path, False)):
        file.write(round(line.frame_at(12)), final=not go_on)
        now, metres = 0, []
        for message in mido.MidiFile(path / "session.mid").tracks[0]:
            now += message.time
            if message.type == "time_signature":
                metres.append((now / TICKS, message.numerator, message.denominator))
        assert metres == [(0, 3, 4), (9, 6, 8)]
        if go_on:
            file = new(tmp_path)
            assert file.resume()
            file.follow([other])


def test_hours_do_not_drift(tmp_path):
    file = new(tmp_path)
    line = BeatTimeline(0.0, 0.0, 113.7, RATE)
    at = 0
    for minute in range(600):
        file.follow([line])
        at = round(line.frame_at(int(line.beat_at(minute * 60 * RATE) / 4) * 4))
        file.hear(events(note(at, NOTE_ON, 1, 40), note(at + 100, NOTE_OFF, 1, 40)))
    file.write(at + 1000, final=True)
    found = [s for s, m in seconds(tmp_path / "session.mid")["bass"] if m.type == "note_on"]
    assert found[-1] == pytest.approx(at / RATE, abs=0.001)
    assert beats(tmp_path / "session.mid", "bass")[-1] % 4 == pytest.approx(0, abs=0.03) or beats(
        tmp_path / "session.mid", "bass"
    )[-1] % 4 == pytest.approx(4, abs=0.03)


def test_going_on_equals_never_having_stopped(tmp_path):
    line = BeatTimeline(5000.0, -4.0, 112.0, RATE)
    finger = [lane_event(9500, 1, PITCH_BEND, 0, 50, 0.5), lane_event(9500, 1, NOTE_ON, 72, 80)]
    parts = [
        np.concatenate([events(note(9000, NOTE_ON, 1, 40), note(9000, NOTE_ON, PLAYER, 60)), *finger]),
        events(note(30000, NOTE_OFF, 1, 40), note(30000, NOTE_ON, 1, 41), note(50000, NOTE_OFF, PLAYER, 60)),
    ]
    parts[1] = np.concatenate([parts[1], lane_event(50001, 1, PITCH_BEND, 0, 50, 0.0)])
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = new(tmp_path / "one"), new(tmp_path / "two")
    for file in (one, two):
        file.follow([line])
        file.hear(parts[0])
        file.position = 2
        file.write(20000)
    again = new(tmp_path / "two")
    assert again.resume()
    assert again.position == 2
    for file in (one, again):
        file.follow([line, line.with_tempo(90, 2.0)])
        file.hear(parts[1])
    for final in (False, True):
        for file in (one, again):
            file.write(60000, final)
        assert (tmp_path / "two/session.mid").read_bytes() == (tmp_path / "one/session.mid").read_bytes()


def test_resuming_without_a_file_begins_and_with_another_file_refuses(tmp_path):
    assert not new(tmp_path).resume()
    mido.MidiFile().save(tmp_path / "session.mid")
    with pytest.raises(SessionError, match="move it away"):
        new(tmp_path).resume()


def test_final_version_has_no_trace_of_the_machinery(tmp_path):
    file = new(tmp_path)
    file.write(1000)
    assert any(m.type == "sequencer_specific" for m in mido.MidiFile(tmp_path / "session.mid").tracks[0])
    file.write(1000, final=True)
    assert not any(m.type == "sequencer_specific" for m in mido.MidiFile(tmp_path / "session.mid").tracks[0])


def test_a_version_after_the_other_is_the_same_as_one_of_all_and_keeps_nothing_in_memory(tmp_path):
    (tmp_path / "often").mkdir()
    (tmp_path / "once").mkdir()
    often, once = new(tmp_path / "often"), new(tmp_path / "once")
    line, frame = BeatTimeline(0.0, 0.0, 120.0, RATE), 0
    for number in range(400):
        line = line.with_tempo(60 + number % 90, line.beat_at(frame))
        heard = events(note(frame + 9, NOTE_ON, number % 5, 40), note(frame + 99, NOTE_OFF, number % 5, 40))
        frame += 6000
        for file in (often, once):
            file.follow([line])
            file.hear(heard)
            file.mark(frame - 7000 if number % 7 == 0 else frame, f"here {number}")
        if number % 10 == 0:
            often.write(frame)
    assert max(len(track.data) for track in often._tracks.values()) < 500
    assert len(often._conductor._entries) < 400
    for file in (often, once):
        file.write(frame, final=True)
        file.close()
    assert (tmp_path / "often/session.mid").read_bytes() == (tmp_path / "once/session.mid").read_bytes()


def test_a_version_that_was_taken_away_meanwhile_is_not_missed_and_one_that_was_cut_is(tmp_path):
    file = new(tmp_path)
    file.hear(events(note(9, NOTE_ON, 1, 40), note(99, NOTE_OFF, 1, 40)))
    file.write(1000)
    (tmp_path / "session.mid").rename(tmp_path / "mine.mid")
    file.hear(events(note(2000, NOTE_ON, 1, 41)))
    file.write(3000)
    assert len(beats(tmp_path / "session.mid", "bass")) == 2
    (tmp_path / "session.mid").write_bytes(b"")
    with pytest.raises(OSError, match="not as it was written"):
        file.write(4000)
