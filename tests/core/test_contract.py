import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import contract
from engine.core.errors import NetworkError
from engine.network.runner import Runner
from tests import tiny


def test_the_card_is_read_without_loading_the_graph(tiny_onnx):
    card = contract.read_card(tiny_onnx)
    assert card.name == "tiny"
    assert card.slots == tiny.SLOTS
    assert card.track_slices()["lead"] == slice(7, 19)
    assert card.slot_pitches()[:3].tolist() == [36, 38, 40]
    assert card.slot_tracks()[[0, 2, 18]].tolist() == [0, 1, 2]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NetworkError, match=r"none\.onnx: cannot be read"):
        contract.read_card(tmp_path / "none.onnx")


@given(cut=st.floats(0, 0.999))
@settings(max_examples=40, deadline=None)
def test_a_file_cut_short_is_refused_or_has_no_card(tiny_onnx, tmp_path_factory, cut):
    data = tiny_onnx.read_bytes()
    short = tmp_path_factory.mktemp("cut") / "short.onnx"
    short.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(NetworkError):
        Runner(short)


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_give_an_error_that_says_so(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any.onnx"
    file.write_bytes(data)
    with pytest.raises(NetworkError):
        contract.read_card(file)


def test_every_fault_of_a_card_is_named():
    wrong = tiny.card(steps_per_beat=0, tracks=[], contract=1)
    with pytest.raises(NetworkError) as error:
        contract.parse_card(json.dumps(wrong), "x.onnx")
    assert "steps_per_beat" in str(error.value)
    assert "tracks" in str(error.value)


def test_a_card_from_the_future_is_refused():
    with pytest.raises(NetworkError, match="contract 2: this engine keeps contract 1"):
        contract.parse_card(json.dumps(tiny.card(contract=2)), "x.onnx")


def test_the_order_of_a_layers_units_names_each_once():
    units = list(reversed(range(tiny.HIDDEN)))
    card = contract.parse_card(json.dumps(tiny.card(order={"0": units})), "x.onnx")
    assert card.order == {0: tuple(units)}
    assert contract.parse_card(card.model_dump_json(), "again").order == card.order


@pytest.mark.parametrize("order", [{"0": [0, 1, 1]}, {"0": [*range(tiny.HIDDEN), 99]}, {"9": []}, {"0": [-1]}])
def test_an_order_that_is_no_permutation_of_its_layer_is_refused(order):
    with pytest.raises(NetworkError, match="must name each of that layer's"):
        contract.parse_card(json.dumps(tiny.card(order=order)), "x.onnx")


def test_a_graph_that_breaks_its_card_is_refused_with_the_list(tmp_path):
    more = [{"name": "h0", "shape": [tiny.HIDDEN + 1]}, {"name": "c0", "shape": [3]}]
    chord = [{"name": "chord", "shape": [24]}]
    file = tiny.write(tmp_path / "broken.onnx", drop=("log_prob", "chord"), states=more, conditions=chord)
    with pytest.raises(NetworkError) as error:
        Runner(file)
    for part in (
        "output 'log_prob' is missing",
        "input 'c0' is missing",
        "input 'chord' is missing: expected float [B, 24]",
        "input 'h0' has shape",
        "output 'c0_next' is missing",
    ):
        assert part in str(error.value)


def test_an_input_the_card_does_not_explain_is_refused(tmp_path):
    with pytest.raises(NetworkError, match="input 'density' is not in the contract"):
        Runner(tiny.write(tmp_path / "more.onnx", controls=[]))


def test_a_card_says_in_which_metres_it_was_trained_and_can_be_told_them():
    told = [{"name": "metre", "shape": [2]}]
    card = contract.parse_card(json.dumps(tiny.card(conditions=told, metres=["4/4", "6/8"])), "x.onnx")
    assert card.hears_metre
    assert [m.name for m in card.known_metres] == ["4/4", "6/8"]
    alone = contract.parse_card(json.dumps(tiny.card()), "x.onnx")
    assert (alone.hears_metre, alone.known_metres) == (False, ())


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"metres": ["4/4", "3/4"]}, "no condition 'metre' to tell which"),
        ({"metres": ["3/4"], "conditions": [{"name": "metre", "shape": [2]}]}, "metres must name its own"),
        ({"metres": ["4/4", "x"], "conditions": [{"name": "metre", "shape": [2]}]}, "write it as 3/4"),
        ({"conditions": [{"name": "metre", "shape": [3]}]}, "has the shape"),
    ],
)
def test_metres_that_cannot_be_told_are_refused(wrong, why):
    with pytest.raises(NetworkError, match=why):
        contract.parse_card(json.dumps(tiny.card(**wrong)), "x.onnx")
