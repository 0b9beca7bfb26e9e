"""The shipped festival network: it keeps the contract, plays alone, and follows what it is told."""

from pathlib import Path

import numpy as np
import pytest

from models.evaluation.charted import charted
from models.evaluation.follow import figures
from models.evaluation.statistics import longest_silence, longest_stuck
from models.evaluation.takes import progression
from models.graph.playing import nats, open_network, play_alone
from models.music.representation import ONSET
from tests.jam.test_jam import Stage

NETWORK = Path(__file__).parents[3] / "models/festival/festival.onnx"


@pytest.fixture(scope="module")
def graph():
    return open_network(NETWORK)


@pytest.fixture(scope="module")
def alone(graph):
    return play_alone(graph, range(1, 21), bars=32)


def test_alone_it_is_never_silent_for_a_bar_nor_stuck_on_a_step(alone):
    assert max(longest_silence(roll) for roll in alone) < 16
    assert max(longest_stuck(roll) for roll in alone) <= 4 * 16


def test_alone_every_track_is_about_as_busy_as_in_the_music_it_learned_from(graph, alone):
    for name, where in graph.card.track_slices().items():
        mean = np.mean([(roll[:, where] == ONSET).sum() / len(roll) for roll in alone])
        wanted = graph.card.training["density"][name]  # a mean as well: many songs have no pad
        assert wanted / 2 <= mean <= wanted * 2, name


def test_the_notes_it_plays_are_likelier_to_it_than_a_shuffle_of_them(graph, alone):
    own = np.mean([n.sum() for n in nats(graph, alone[:4])])
    shuffled = np.mean([n.sum() for n in nats(graph, [roll[::-1].copy() % 2 * 2 for roll in alone[:4]])])
    assert own < shuffled


def test_in_a_jam_it_is_told_which_notes_are_the_players_and_asked_for_a_kick():
    stage = Stage(NETWORK, "accompany")
    lead = stage.runner.card.track_slices()["lead"]
    stage.player(0, 72)
    stage.player(2, 72, on=False)
    clamped = []
    for _ in range(4):
        stage.advance()
        told = np.flatnonzero(stage.runner.inputs["player"][0]).tolist()
        assert told == list(range(lead.start, lead.stop))  # whether his notes are known or not
        clamped.append(np.flatnonzero(stage.runner.inputs["clamp_mask"][0]).tolist())
    slot = lead.start + 72 - 48
    assert clamped == [[slot], [slot], [], []]
    assert stage.runner.inputs["kick"][0] == 1


def test_told_the_chords_it_is_on_them_and_the_kick_stays(graph):
    """Of a player whose notes it knows only afterwards; by chance a third of the bass and of the notes would be right."""
    takes = [progression(chords, kind, 20) for chords in ("C,G,Am,F", "Eb,Cm,Fm,Bb7") for kind in ("melody", "chords")]
    found = figures([pair for seed in (1, 2, 3) for pair in charted(graph, takes, seed)])
    assert found["bass_root"] > 0.75
    assert found["beat1_new"] > 0.8
    assert found["bar_new"] > 0.8
    assert found["no_kick"] < 0.25
