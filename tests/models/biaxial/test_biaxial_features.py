"""The features of every note, against an oracle in plain Python written from the description."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.biaxial.network import BiaxialConfig, features, heard_below


def describe(flags: list[list[float]], position: int, note: int, config: BiaxialConfig) -> list[float]:
    """Features of one note from the flags of the step before, as the docstring of `features` tells them."""
    count = len(flags)
    out = [note / (count - 1)]
    out += [float((note + config.low) % 12 == pitch_class) for pitch_class in range(12)]
    for other in range(note - config.vicinity, note + config.vicinity + 1):
        out += flags[other] if 0 <= other < count else [0.0] * config.voices
    own = (note + config.low) % 12
    for interval in range(12):
        out.append(sum(flags[n][0] for n in range(count) if (n + config.low) % 12 == (own + interval) % 12))
    out += [1.0 if position // 2**bit % 2 else -1.0 for bit in range(4)]
    return out


@settings(max_examples=30, deadline=None)
@given(data=st.data(), low=st.integers(21, 40), notes=st.integers(2, 40), articulates=st.booleans())
def test_features_match_the_oracle(data, low, notes, articulates):
    config = BiaxialConfig(low=low, high=low + notes - 1, articulates=articulates)
    flag = st.sampled_from([0.0, 1.0])
    flags = data.draw(st.lists(st.lists(flag, min_size=config.voices, max_size=config.voices), min_size=notes, max_size=notes))
    position = data.draw(st.integers(0, 100))
    got = features(torch.tensor([[flags]]), torch.tensor([[position]]), config)
    assert got.shape == (1, 1, notes, config.features)
    for note in range(notes):
        assert got[0, 0, note].tolist() == pytest.approx(describe(flags, position, note, config))


def test_the_lowest_note_does_not_see_the_highest():
    """The network of 2015 wrapped around: its lowest notes saw the top of the keyboard."""
    config = BiaxialConfig(low=24, high=101)
    flags = torch.zeros(1, 1, 78, 2)
    flags[0, 0, 77] = 1
    near = features(flags, torch.zeros(1, 1, dtype=torch.int64), config)[0, 0, 0, 13:63]
    assert near.sum() == 0


def test_a_note_hears_only_what_is_below_it():
    current = torch.zeros(1, 1, 6, 1)
    current[0, 0, 2] = 1
    below = heard_below(current, reach=3)[0, 0]
    assert below.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
