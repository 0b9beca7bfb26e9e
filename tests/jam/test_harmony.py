"""The chord network drives the band's chords: the shipped networks on the virtual clock."""

import numpy as np
import pytest

from engine.core.config import SHIPPED, Config, load
from engine.core.contract import HOLD, PLAY
from engine.core.errors import ConfigError, NetworkError
from engine.core.messages import harmony_dtype
from engine.jam import harmony
from engine.jam.harmony import Harmony
from engine.jam.jam import Jam
from engine.network.noise import noise
from engine.network.runner import Runner
from models.music.chord_symbols import PITCHES, Classes
from tests.jam.test_jam import TIMELINE, Stage

FESTIVAL, CHORDS = SHIPPED / "festival/festival.onnx", SHIPPED / "chords/chords.onnx"


@pytest.fixture(scope="module")
def chords():
    return Runner(CHORDS)


class Band(Stage):
    """A stage whose band has a harmony."""

    def __init__(self, chords: Runner, mode: str = "solo", track: str = "lead", **values: float) -> None:
        super().__init__(FESTIVAL, mode, track, **values)
        chords.reset()
        chords.neutral()
        card = self.runner.card
        self.jam = Jam(self.runner, self.live, self.link, track, Harmony(chords, card, track))
        self.slots = card.track_slices()["chords"]
        self.classes = [c % 12 for c in card.slot_pitches()[self.slots]]


def voicings(chords):
    """Pitch classes of each class of the chord network."""
    names = chords.card.model_extra["classes"]
    classes = Classes(list(dict.fromkeys(name.partition(":")[2] for name in names[1:])))
    return {frozenset(PITCHES[i] % 12 for i in np.flatnonzero(row)) for row in classes.voicings()}


def test_the_chords_change_with_the_beat_are_chords_of_the_set_and_begin_anew_with_the_bar(chords):
    band = Band(chords)
    records = band.run(96)
    notes = records["notes"][:, band.slots]
    known = voicings(chords)
    for step, now in enumerate(notes):
        sounding = frozenset(band.classes[i] for i in np.flatnonzero(now[:, PLAY]))
        assert sounding in known
        struck = now[:, PLAY] > now[:, HOLD]
        if step % 4:  # within a beat nothing changes, and what sounds goes on
            assert np.array_equal(now[:, PLAY], notes[step - 1, :, PLAY])
            assert not struck.any()
        if step % 16 == 0:
            assert np.array_equal(struck, now[:, PLAY] > 0)
    assert len({tuple(n[:, PLAY]) for n in notes}) > 2
    # it sounds, as the network's: nothing of it is the player's
    assert {e[4] % 12 for e in band.played if e[2] == 1 and e[3] == 2} == set().union(*known) & {
        band.classes[i] for n in notes for i in np.flatnonzero(n[:, PLAY])
    }
    assert not records["clamped"].any()
    assert np.array_equal(records["x"][1:, band.slots], notes[:-1])


@pytest.mark.parametrize("root", [0, 6])
def test_the_player_is_followed(chords, root):
    band = Band(chords, mode="accompany")
    triad = [60 + (root + n) % 12 for n in (0, 4, 7)]
    for beat in range(16):
        for n, pitch in enumerate(triad):
            band.player(4 * beat + n, pitch)
            band.player(4 * beat + n + 1, pitch, on=False)
    notes = band.run(64)["notes"][16:, band.slots, PLAY]
    heard = [{band.classes[i] for i in np.flatnonzero(now)} >= {p % 12 for p in triad} for now in notes]
    assert np.mean(heard) > 0.8


def test_who_plays_the_chords_himself_is_not_overruled(chords):
    band = Band(chords, mode="accompany", track="chords")
    for pitch in (60, 64, 67):
        band.player(0, pitch)
    records = band.run(32)
    assert all(now[:, PLAY].sum() == 3 for now in records["notes"][:, band.slots])
    assert records["clamped"][:, band.slots].all()


def test_what_he_adds_in_solo_sounds_beside_the_chord(chords):
    band = Band(chords)
    band.player(2, 95)  # on the lead
    records = band.run(16)
    lead = band.runner.card.track_slices()["lead"]
    assert records["notes"][2:, lead, PLAY].any(1).all()
    assert records["clamped"][3].sum() == 1  # his note, and nothing of the chord
    assert records["notes"][:, band.slots, PLAY].any()


def test_while_it_listens_no_chord_sounds_and_its_answer_has_some(chords):
    band = Band(chords, mode="trade", rest=1)
    for beat in range(2):
        band.player(4 * beat, 60 + 4 * beat)
        band.player(4 * beat + 3, 60 + 4 * beat, on=False)
    records = band.run(40)
    sounding = records["notes"][:, band.slots, PLAY].any(1)
    listening = (records["flags"] & 2) > 0
    assert listening[:8].all()
    assert not sounding[listening].any()
    assert sounding[~listening].mean() > 0.5


def test_choosing_a_step_again_changes_nothing_but_what_was_heard(chords):
    first = Band(chords).run(24)["notes"].copy()
    twice = Band(chords)
    seen = []
    for _ in range(24):
        twice.jam.hear(twice.heard.read(), TIMELINE, 0)
        twice.jam.choose(twice.step, TIMELINE)
        seen.append(twice.advance()["notes"])
    assert np.array_equal(first, np.array(seen))


def test_one_that_recalls_what_was_kept_goes_on_as_the_one_that_died_would_have(chords):
    band = Band(chords).runner.card
    nothing = np.zeros((band.slots, len(band.channels)), np.float32)
    record = np.zeros((), harmony_dtype(chords.card))

    def beats(harmony, first, last):
        for step in range(first, last):
            harmony.choose(step, nothing, nothing, 1, 1.0)
            harmony.settle(1.0)
            yield harmony.runner.inputs["x"].copy()

    died = Harmony(Runner(CHORDS), band, "lead")
    list(beats(died, 0, 34))
    died.keep(record)
    anew = Harmony(Runner(CHORDS), band, "lead")
    unlike = list(beats(anew, 36, 100))
    anew.reset()
    anew.recall(record)
    wanted = list(beats(died, 36, 100))
    assert np.array_equal(wanted, list(beats(anew, 36, 100)))
    assert not np.array_equal(wanted, unlike)


def test_what_was_kept_and_is_no_number_is_left(chords):
    harmony = Band(chords).jam._harmony
    record = np.zeros((), harmony_dtype(chords.card))
    for name in record.dtype.names:
        record[name] = np.nan
    harmony.recall(record)
    assert all(np.isfinite(v).all() for v in harmony.runner.inputs.values())


def test_another_seed_is_another_harmony_and_reset_forgets(chords):
    one, other = (Band(chords, seed=seed).run(48)["notes"][:, 44:92] for seed in (1, 2))
    assert not np.array_equal(one, other)
    band = Band(chords)
    band.run(17)
    assert any(v.any() for v in chords.states().values())
    band.live.fire("reset")
    band.jam.choose(band.step, TIMELINE)
    assert not any(v.any() for v in chords.states().values())


def test_noise_of_another_stream_is_other_noise():
    assert not np.array_equal(noise(1, 5, 8), noise(1, 5, 8, 1))
    assert np.array_equal(noise(1, 5, 8, 1), noise(1, 5, 8, 1))


def test_networks_that_do_not_fit_together_are_refused_with_the_remedy(chords, tiny_onnx):
    band = Runner(tiny_onnx).card
    with pytest.raises(NetworkError, match=r"tiny must have a track chords.*take festival"):
        Harmony(chords, band, "lead")
    with pytest.raises(NetworkError, match=r"tiny must have the tracks chords and player; take chords"):
        Harmony(Runner(tiny_onnx), Runner(FESTIVAL).card, "lead")
    with pytest.raises(ConfigError, match=r"network\.harmony: no network 'cords' is shipped"):
        harmony.of(load(None, ["network.harmony=cords"]), band, "lead")
    assert harmony.of(Config(), band, "lead") is None
