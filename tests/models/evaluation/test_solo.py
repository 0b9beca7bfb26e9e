"""What a network plays alone beside the data: like with like, and what is amiss."""

import numpy as np
import pytest

from engine.core.contract import Card
from models.evaluation.solo import compare, draw, like_pieces, table, windows, windows_table
from models.music.representation import ONSET

CARD = Card.model_validate(
    {
        "contract": 1,
        "name": "one",
        "steps_per_beat": 4,
        "beats_per_bar": 4,
        "noise": 12,
        "tracks": [{"name": "lead", "pitches": list(range(60, 72))}],
    }
)
SCALE = [0, 2, 4, 5, 7, 9, 11]


def piece(seed, bars=8, slots=SCALE, share=0.5):
    chance = np.random.default_rng(seed)
    roll = np.zeros((16 * bars, 12), np.uint8)
    for step in np.flatnonzero(chance.random(16 * bars) < share):
        roll[step, chance.choice(slots)] = ONSET
    return roll


DATA = [piece(seed) for seed in range(100, 140)]


def test_pieces_are_cut_to_the_length_of_the_solos():
    rolls = [piece(1, bars=20), piece(2, bars=5), piece(3, bars=3)]
    assert [len(r) // 16 for r in like_pieces(rolls, 8, 16)] == [8, 8, 4, 5]
    assert like_pieces(rolls[2:], 8, 16)[0] is rolls[2]


def test_music_of_the_same_kind_has_nothing_amiss():
    found = compare([piece(seed) for seed in range(20)], range(20), DATA, CARD, 8)
    assert found["amiss"] == []
    assert found["figures"]["share_in_key"]["solo"][2] == 1.0
    assert "amiss: nothing" in table(found)[-1]


@pytest.mark.parametrize(
    ("solo", "named"),
    [
        (lambda s: piece(s, share=0.1), "density lead"),
        (lambda s: piece(s, slots=range(12)), "share in key"),
        (lambda s: np.vstack([piece(s, 5), np.zeros((48, 12), np.uint8)]), "silent bar: in 100%"),
        (lambda s: np.tile(piece(s, 4), (2, 1)), "four bars again: in 100%"),
        (lambda s: np.vstack([piece(s, 4), np.tile(piece(s)[:1] + 1, (64, 1))]), "stuck four bars"),
    ],
)
def test_what_is_amiss_is_named(solo, named):
    found = compare([solo(seed) for seed in range(20)], range(20), DATA, CARD, 8)
    assert any(line.startswith(named) for line in found["amiss"]), found["amiss"]


def test_the_picture_is_a_png(tmp_path):
    draw(compare([piece(1), piece(2)], [1, 2], DATA, CARD, 8), "One", tmp_path / "solo.png")
    assert (tmp_path / "solo.png").read_bytes().startswith(b"\x89PNG")


def test_windows_tell_where_a_solo_sinks():
    sunk = piece(1, bars=16)
    sunk[8 * 16 :] = 0
    found = windows([sunk, sunk], DATA, CARD, 8)
    low, high = found["figures"]["density_lead"]["quartiles"]
    first, second = found["figures"]["density_lead"]["medians"]
    assert second == 0 < low < high
    assert first > 0.4
    assert 0 < found["outside"][0] <= found["outside"][1] == 2 * len(found["figures"])
    line = next(line for line in windows_table(found) if "density lead" in line)
    assert line.endswith("0.00*")


def test_beside_what_lies_outside_stands_what_does_of_the_music_itself():
    solos = [piece(seed, bars=16) for seed in range(12)]
    of_its_own = windows(solos, DATA, CARD, 8)
    _, count = of_its_own["outside"]
    assert of_its_own["by_chance"] < 0.1 * count  # medians of a dozen lie within the quartiles of what they are drawn from
    busier = windows(solos, DATA, CARD, 8, [piece(seed, share=0.9) for seed in range(20)])
    assert busier["outside"] == of_its_own["outside"]
    assert busier["by_chance"] > of_its_own["by_chance"] + 1.9  # density alone, in both windows
    assert windows_table(busier)[-1].endswith(f"of stretches of the music itself {busier['by_chance']:.1f}")
