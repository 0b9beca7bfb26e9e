"""The features of every note, against an oracle in plain Python written from the description."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.biaxial import recipe
from models.biaxial.network import RECALL_GAIN, BiaxialConfig, features, heard_below, recall
from models.music.data import Collection, Piece
from models.music.representation import ONSET


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


def test_a_memory_fades_by_its_share_every_step():
    config = BiaxialConfig(low=24, high=47, recall=(0.5, 0.9), articulates=False)
    flags = (torch.rand(2, 300, 24, 1, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    begin = torch.rand(2, 24)
    left, wanted = begin.clone(), []
    for step in range(300):
        counts = torch.zeros(2, 12)
        for note in range(24):
            counts[:, note % 12] += flags[:, step, note, 0]
        share = torch.tensor([0.5] * 12 + [0.9] * 12)
        left = share * left + RECALL_GAIN * (1 - share) * counts.repeat(1, 2)
        wanted.append(left)
    assert torch.allclose(recall(flags, config, begin), torch.stack(wanted, 1), atol=1e-5)
    described = features(flags, torch.zeros(2, 300, dtype=torch.int64), config, recall(flags, config, begin))
    assert described.shape == (2, 300, 24, config.features)
    own = described[1, 7, 5, -4 - 24 : -4]  # the own pitch class first, in each memory
    assert own.tolist() == pytest.approx([float(wanted[7][1, d * 12 + (5 + k) % 12]) for d in range(2) for k in range(12)])


def test_a_stretch_remembers_what_came_before_it_in_its_piece():
    """A stretch from the middle is described as it is when the whole piece is heard."""
    chance = np.random.default_rng(0)
    roll = (chance.random((400, 24)) < 0.1).astype(np.uint8) * ONSET
    config = {**recipe.DEFAULTS, "low": 24, "high": 47, "recall": [0.5, 0.98], "shift": 0, "segment": 32, "batch": 2}
    data = recipe.Segments(config, Collection([Piece("a", "train", roll)]), {})
    shape = recipe.shape_of(config)
    whole = recall(torch.from_numpy(roll != 0).float()[None, ..., None], shape)[0]
    seen = 0
    for update in range(6):
        batch = data.batch(update, 0, 1)
        found = recall(batch["previous"], shape, batch["recalled"])
        for item, stretch in zip(batch["current"][..., 0].numpy(), found, strict=True):
            (start,) = (at for at in range(0, 400, 16) if np.array_equal(roll[at : at + 16] != 0, item[:16] > 0))
            if start:
                assert torch.allclose(stretch[:16], whole[start - 1 : start + 15], atol=1e-5)
                seen += 1
    assert seen > 4
