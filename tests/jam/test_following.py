"""The chord is heard, foreseen and kept to: on made-up players, and on the small network."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.core.contract import HOLD, PLAY, Card
from engine.core.messages import CHORD, GIVEN_CHORD, NOTE_OFF, NOTE_ON, PLAYER
from engine.jam.chords import chord, key_of, of_code, parse
from engine.jam.ear import FORGET_BARS, Ear
from engine.jam.fit import ROOTED, Fit
from engine.jam.groove import Groove
from tests import tiny
from tests.jam.test_jam import LEAD, TIMELINE, Stage

CARD = Card.model_validate(
    tiny.card(
        tracks=[
            {"name": "drums", "kind": "drums", "pitches": [36, 38]},
            {"name": "bass", "kind": "pitched", "pitches": list(range(28, 60))},
            {"name": "lead", "kind": "pitched", "pitches": list(range(48, 96))},
        ]
    )
)
BAR = CARD.steps_per_bar
LOOP = [parse(name) for name in ("C", "G", "Am", "F")]
BASS = slice(2, 34)
TOP = slice(34, 82)


def melody(of, transposed: int = 0) -> dict[int, list[int]]:
    """A bar on a chord's tones, from the lowest above C5: step in the bar to the pitches that begin."""
    up = sorted(72 + (tone - transposed) % 12 for tone in of.tones)
    return {0: [up[0]], 4: [up[1]], 6: [up[2]], 8: [up[1]], 12: [up[2]], 14: [up[0]]}


def block(of) -> dict[int, list[int]]:
    return {half: [60 + tone for tone in sorted(of.tones)] for half in (0, 8)}


def triad(of):
    """Root and third: a seventh more or less is a matter of taste."""
    return None if of is None else (of.root, 3 in of.intervals)


class Listener:
    """An ear, and what it says at every step: before the notes of the step are known, and after."""

    def __init__(self, **options) -> None:
        self.ear = Ear(CARD, **options)
        self.step = 0
        self.sounding: list[int] = []
        self.before = np.zeros((CARD.slots, 2), np.float32)

    def play(self, bar: dict[int, list[int]]) -> tuple[list, list]:
        blind, told = [], []
        for within in range(BAR):
            struck = bar.get(within)
            silent, now = np.zeros_like(self.before), np.zeros_like(self.before)
            if struck is not None:
                self.sounding = struck
            for pitch in self.sounding:
                now[TOP.start + pitch - 48] = 1, struck is None
            self.ear.listen(self.step, self.step, self.before, silent)
            blind.append(self.ear.now)
            self.ear.listen(self.step, self.step, self.before, now)
            told.append(self.ear.now)
            self.before, self.step = now, self.step + 1
        return blind, told


@pytest.mark.parametrize("play", [melody, block])
@pytest.mark.parametrize("up", [0, 1, 6])
def test_the_third_time_round_it_knows_the_chord_before_it_is_played(play, up):
    loop = [chord(of.root + up, of.name[1:]) for of in LOOP]
    listener = Listener()
    for _ in range(2):
        for of in loop:
            listener.play(play(of))
    for of, after in zip(loop, [*loop[1:], loop[0]], strict=True):
        blind, told = listener.play(play(of))
        assert [triad(c) for c in (blind[0], told[0], told[-1])] == [triad(of)] * 3
        assert triad(listener.ear.following) == triad(after)
    assert listener.ear.hearing.rounds.period == 4 * CARD.beats_per_bar


def test_a_dominant_whose_root_is_left_out_is_no_diminished_chord():
    loop = [parse(name) for name in ("Em", "D", "C", "B7")]
    without = {step: [75 + {"a": 0, "b": 3, "c": 6}[tone]] for step, tone in zip((0, 4, 6, 8, 12, 14), "abcbca", strict=True)}
    listener = Listener()
    for at in range(16):
        of = loop[at % 4]
        blind, told = listener.play(without if of.name == "B7" else melody(of))
        if at >= 8:
            assert (blind[0].root, told[-1].root) == (of.root, of.root)


def test_chords_in_blocks_are_known_from_the_first_strike():
    listener = Listener()
    for name in ("D", "Gm", "A7", "Bbmaj7", "Em7b5"):
        _, told = listener.play(block(parse(name)))
        assert told[0] is not None
        assert told[0].tones <= parse(name).tones
        assert triad(told[-1]) == triad(parse(name))


def test_a_player_who_leaves_what_came_round_is_followed_from_the_second_bar_on():
    listener = Listener()
    for _ in range(3):
        for of in LOOP:
            listener.play(melody(of))
    moved = [chord(of.root + 6, of.name[1:]) for of in LOOP]
    for of in moved[:2]:
        _, told = listener.play(melody(of))
    assert triad(told[-1]) == triad(moved[1])
    for of in moved[2:]:
        _, told = listener.play(melody(of))
        assert [triad(c) for c in told[8:]] == [triad(of)] * 8


def test_after_a_long_silence_and_with_nothing_that_comes_round_it_knows_nothing():
    listener = Listener()
    listener.play(melody(LOOP[0]))
    listener.sounding = []
    for _ in range(FORGET_BARS):
        listener.play({0: []})
    _, told = listener.play({})
    assert told == [None] * BAR
    assert Listener().play({}) == ([None] * BAR, [None] * BAR)


def test_a_chart_is_believed_whatever_is_played():
    listener = Listener(chart=[of for of in LOOP for _ in range(4)])
    for of in [*LOOP, LOOP[0]]:
        blind, told = listener.play(melody(chord(1, "")))
        assert blind == told == [of] * BAR


def test_without_its_chart_it_hears_again_whatever_the_chart_had():
    listener = Listener(chart=[parse("Cdim7")])
    listener.play(melody(LOOP[0]))
    listener.ear.play_by([])
    assert triad(listener.play(melody(LOOP[0]))[1][-1]) == triad(LOOP[0])


def test_names_are_read_as_musicians_write_them():
    assert parse("Bbmaj7").tones == {10, 2, 5, 9}
    assert parse("F#m7b5/A").tones == {6, 9, 0, 4}
    assert parse("C-7") == parse("Cm7")
    assert (parse("G7b9").name, parse("Fmaj7#11").name) == ("G7", "Fmaj7")  # what a band needs of it
    with pytest.raises(ValueError, match="'H7' is no chord that is known here; write a root"):
        parse("H7")


def test_the_key_holds_most_of_what_sounded():
    assert key_of(np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11]).astype(float)) == 0
    assert key_of(np.isin(np.arange(12), [2, 4, 6, 7, 9, 11, 1]).astype(float)) == 2


def test_what_has_no_chord_makes_none_change():
    listener = Listener()
    for _ in range(4):
        listener.play({0: [57]})  # a note that always sounds
    drone = {triad(told) for _ in range(4) for told in listener.play({})[1]}
    assert {of[0] for of in drone if of is not None} == {9}
    listener = Listener()
    clusters = [
        told for low in range(60, 72) for told in listener.play({half: [low + i for i in range(5)] for half in (0, 8)})[1]
    ]
    assert sum(a != b for a, b in pairwise(clusters)) <= 4


def test_a_chord_that_is_not_sure_leaves_the_bass_where_it_fits():
    f = BASS.start + 41 - 28
    of, tones = LOOP[0], frozenset({5, 9, 0})
    for sure, where in ((1.0, {(BASS.start + 36 - 28, 0)}), (ROOTED / 2, {(f, 0)})):
        notes = chosen((f, False))
        Fit(CARD).move(notes, chosen(), np.zeros(CARD.slots, np.float32), of, of, 0, True, True, sure, tones)
        assert {(int(slot), int(notes[slot, HOLD])) for slot in np.flatnonzero(notes[:, PLAY])} == where


def test_it_waits_for_a_note_that_mostly_comes_and_would_tell():
    listener = Listener()
    rng = np.random.default_rng(0)
    waits = []
    for _ in range(6):
        pitch = int(rng.integers(60, 84))
        silent, now = np.zeros((2, CARD.slots, 2), np.float32)
        now[TOP.start + pitch - 48] = 1, 0
        for within in range(BAR):
            ear, struck = listener.ear, within == 0
            ear.listen(listener.step, listener.step, listener.before, silent)
            blind = ear.waits
            ear.listen(listener.step, listener.step, listener.before, now if struck else silent)
            waits.append((within, blind, ear.waits))
            listener.before, listener.step = now if struck else silent, listener.step + 1
    assert not any(told for _, _, told in waits)  # what is known is not waited for
    assert {within for within, blind, _ in waits if blind} == {0}
    assert waits[0][1] is False  # who has not played yet may never do so
    assert waits[5 * BAR][1]


def chosen(*notes: tuple[int, bool]) -> np.ndarray:
    """Slots that play, and whether each goes on."""
    found = np.zeros((CARD.slots, 2), np.float32)
    for slot, held in notes:
        found[slot] = 1, held
    return found


def moved(
    notes: np.ndarray, before: np.ndarray, begins: bool, of=LOOP[0], after=None, beat: bool = True
) -> set[tuple[int, int]]:
    taken = np.zeros(CARD.slots, np.float32)
    Fit(CARD).move(notes, before, taken, of, after or of, 0, begins, beat)
    return {(int(slot), int(notes[slot, HOLD])) for slot in np.flatnonzero(notes[:, PLAY])}


def test_only_what_does_not_belong_moves_and_drums_never_do():
    # Kick; D in the bass; E and F in the lead, of which the E is struck.
    kick, d, e, f = 0, BASS.start + 38 - 28, TOP.start + 64 - 48, TOP.start + 65 - 48
    notes = chosen((kick, False), (d, False), (e, False), (f, False))
    assert moved(notes, chosen(), begins=True) == {
        (kick, 0),
        (BASS.start + 36 - 28, 0),  # the root
        (e, 0),
        (TOP.start + 67 - 48, 0),  # F is nearest to E, which sounds: G
    }
    notes = chosen((f, False))
    assert moved(notes, chosen(), begins=False, beat=False) == {(f, 0)}  # between beats the lead has the scale


def test_what_is_held_into_another_chord_is_struck_on_a_tone_of_it():
    e = BASS.start + 40 - 28
    assert moved(chosen((e, True)), chosen((e, True)), begins=True, of=LOOP[3]) == {(BASS.start + 41 - 28, 0)}


def test_the_bass_may_be_early_for_the_next_chord():
    e = BASS.start + 40 - 28
    assert moved(chosen((e, False)), chosen(), begins=False, after=LOOP[1], beat=False) == {(BASS.start + 43 - 28, 0)}


def test_drums_that_play_without_a_kick_are_given_one_where_a_bar_begins():
    groove = Groove(CARD)
    kicks = []
    for step in range(6 * BAR):
        mask, value = np.zeros(CARD.slots), np.zeros((CARD.slots, 2))
        groove.dictate(step, mask, value, mask)
        kicks.append(bool(mask[0]))
        of_its_own = 3 * BAR <= step < 4 * BAR
        notes = chosen((1, False)) if step % 4 == 0 else chosen()
        notes[0, PLAY] = value[0, PLAY] or (of_its_own and step % 8 == 4)
        groove.settle(step, notes)
    assert [step // BAR for step in np.flatnonzero(kicks)] == [1, 2, 3, 5]
    assert not any(kicks[step] for step in range(6 * BAR) if step % BAR)


def test_a_note_that_comes_as_the_step_sounds_puts_it_right(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany", density=4)
    for _ in range(4):  # bars of C
        for pitch in (60, 64, 67):
            stage.player(stage.step + 0.01, pitch)
        stage.run(15)
        for pitch in (60, 64, 67):
            stage.player(stage.step - 0.1, pitch, on=False)
        stage.run(1)
    while not {p for t, p in stage.sounding if t == 1} or (stage.step - 1) % 4:
        stage.run(1)
    sounding = {(t, p) for t, p in stage.sounding if t == 1}
    assert {p % 12 for _, p in sounding} <= {4, 0, 7}
    for pitch in (61, 65, 68):  # C sharp major, a moment after the step before has been sent
        stage.player(stage.step - 1 + 0.1, pitch)
    assert stage.jam.hear(stage.heard.read(), TIMELINE, 0)
    now = round((stage.step - 1 + 0.1) * 6000) + 64
    stage.jam.correct(TIMELINE, now)
    sent = [e for e in stage.sent.read() if e["track"] == 1]
    ended = {(1, int(e["pitch"])) for e in sent if e["kind"] == NOTE_OFF}
    begun = {int(e["pitch"]) % 12 for e in sent if e["kind"] == NOTE_ON}
    assert ended == sounding
    assert begun <= {1, 5, 8}
    assert begun
    assert all(e["frame"] == now for e in sent)
    for event in sent:  # as they sound, they are what is remembered
        stage.link.writer("events").push(event)
    told = stage.advance()["x"]
    names = {int(stage.runner.card.slot_pitches()[s]) % 12 for s in np.flatnonzero(told[:, PLAY]) if s < LEAD.start and s > 1}
    assert names == begun
    assert stage.jam.corrected == 1


def test_what_chord_it_is_goes_out_with_the_notes_and_once(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany")
    for pitch in (60, 64, 67):
        stage.player(0.01, pitch)
    stage.run(8)
    told = [(e[1], of_code(e[4], e[5])) for e in stage.played if e[2] == CHORD]
    assert told == [(0, parse("C"))]


def test_a_step_that_fits_stays_as_it_is(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany", density=4)
    stage.player(0.01, 60)
    stage.run(1)
    stage.player(0.1, 64)
    stage.jam.hear(stage.heard.read(), TIMELINE, 0)
    before = stage.jam.following.ear.now
    stage.jam.correct(TIMELINE, 700)
    if stage.jam.following.ear.now == before:
        assert not len(stage.sent.read())


def test_nobody_is_followed_who_asks_for_it_not_to_be(tiny_onnx):
    played = {}
    for share in (0.0, 1.0):
        stage = Stage(tiny_onnx, "accompany", density=4, follow=share)
        for step in range(0, 64, 8):
            stage.player(step + 0.01, 60)
            stage.player(step + 0.01, 64)
        records = stage.run(64)
        played[share] = {
            int(stage.runner.card.slot_pitches()[s]) % 12
            for r in records
            for s in np.flatnonzero(r["notes"][:7, PLAY])
            if s > 1
        }
    assert played[1.0] < played[0.0]


def test_after_a_reset_no_chord_is_known(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany")
    for pitch in (60, 64, 67):
        stage.player(0.01, pitch)
    stage.run(4)
    assert stage.jam.following.ear.now == parse("C")
    stage.live.set("reset", stage.live.get("reset") + 1)
    stage.run(1)
    assert stage.jam.following.ear.key is None


def test_the_chord_that_a_hand_gives_is_believed_over_what_is_played_and_over_a_chart():
    listener = Listener()
    given = parse("Ebm7")
    for _ in range(2):
        listener.play(block(parse("C")))
    listener.ear.give(given)
    _, told = listener.play(block(parse("C")))
    assert set(told) == {given}
    assert listener.ear.following == given
    assert not listener.ear.waits
    listener.ear.play_by([parse("F")] * 4)
    _, told = listener.play(block(parse("C")))
    assert set(told) == {given}
    listener.ear.give(None)
    _, told = listener.play(block(parse("C")))
    assert set(told) == {parse("F")}


def test_a_hand_of_chords_is_an_event_like_any_other_and_lasts_until_reset(tiny_onnx):
    stage = Stage(tiny_onnx)
    stage.run(4)
    root, quality = parse("Abmaj7").code
    stage.link.writer("events").push((round(4 * 1.0), -1, GIVEN_CHORD, PLAYER, root, quality, 0.0))
    stage.run(2)
    assert stage.jam.following.ear.now == parse("Abmaj7")
    stage.run(40)
    assert stage.jam.following.ear.now == parse("Abmaj7")
    stage.live.fire("reset")
    stage.run(2)
    assert stage.jam.following.ear.given is None
