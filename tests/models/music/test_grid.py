"""Metres as networks count them."""

import pytest

from models.music.grid import Grid, read_grid


@pytest.mark.parametrize(
    ("text", "beats", "steps"),
    [("4/4", 4, 4), ("3/4", 3, 4), ("6/8", 2, 6), ("12/8", 4, 6), ("7/8", 7, 2), ("2/2", 2, 8), ("5/4", 5, 4)],
)
def test_a_metre_is_beats_of_sixteenths_and_is_written_as_it_was_read(text, beats, steps):
    assert read_grid(text) == Grid(beats, steps)
    assert read_grid(text).name == text


def test_what_sixteenths_do_not_count_is_refused():
    with pytest.raises(ValueError, match="no whole sixteenths"):
        read_grid("5/32")
