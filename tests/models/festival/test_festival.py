"""The festival network: its joint head, its training data, and its step graph against PyTorch and the evaluator."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import symusic
import torch

from engine.core.contract import read_card
from engine.core.link import Layout, Link
from engine.core.messages import NOTE_ON
from engine.core.parameters import Live
from engine.jam.jam import Jam
from engine.jam.modes import MODES
from engine.jam.parameters import registry_of
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline
from models.evaluation.evaluate import nats, open_network, play_alone
from models.festival import export, recipe
from models.festival import expression_figures as expression
from models.festival import metre_figures as metres
from models.festival.expression import LEVEL, log_prob
from models.festival.network import (
    CHORDS,
    DECISIONS,
    HARMONY,
    HEARD,
    SLOTS,
    WIDTHS,
    WISHES,
    gather_harmony,
    given_features,
    harmony_features,
)
from models.festival.place import BAR, METRES, PAST, facts_of, place_of
from models.graph.building import largest_difference, open_session, random_inputs
from models.music.representation import HELD, ONSET, channels, from_channels, to_midi
from models.training.train import TrainingError, load_recipe, main

SMALL = {**recipe.DEFAULTS, "width": 10, "layers": 2, "head": 24, "streams": 3, "window": 16, "bf16": False}


def network(**changes):
    """A small network with weights large enough that slots matter to each other."""
    torch.manual_seed(3)
    model = recipe.build({**SMALL, **changes}).eval()
    for name, weight in model.named_parameters():
        torch.nn.init.normal_(weight, std=0.5 if "head" in name else 0.3)
    torch.nn.init.normal_(model.head.direct.bias, mean=-1.5)
    return model


@pytest.fixture(scope="module", params=[True, False], ids=["joint", "independent"])
def exported(request, tmp_path_factory):
    model = network(joint=request.param)
    path = tmp_path_factory.mktemp("net") / "festival.onnx"
    export.export(model, {"command": "train", "best": 1.0}, path)
    return model, path


def test_step_graph_equals_pytorch_on_random_inputs_and_clamps(exported):
    model, path = exported
    session, card, chance = open_session(path), read_card(path), np.random.default_rng(0)
    feeds = [random_inputs(card, batch, chance) for batch in (1, 8, 8)]
    worst = largest_difference(session, lambda feed: export.step(model, feed), feeds)
    assert {"probability", "log_prob", "log_prob_tracks", "h0_next", "c1_next", "felt_next"} <= worst.keys()
    assert worst.pop("notes") < 1e-4  # drawing all slots at once settles on what one by one gives; how loud is a real number
    assert max(worst.values()) < 1e-4 * SLOTS


def test_gates_explain_the_cell(exported):
    _, path = exported
    session, card = open_session(path), read_card(path)
    feed = random_inputs(card, 4, np.random.default_rng(1))
    out = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))
    for k in range(2):
        c = out[f"f{k}"] * feed[f"c{k}"] + out[f"i{k}"] * out[f"g{k}"]
        np.testing.assert_allclose(out[f"c{k}_next"], c, atol=1e-6)
        np.testing.assert_allclose(out[f"h{k}_next"], out[f"o{k}"] * np.tanh(c), atol=1e-6)


def test_dictated_notes_are_kept_and_only_what_sounded_can_be_held(exported):
    _, path = exported
    session, card = open_session(path), read_card(path)
    names = [o.name for o in session.get_outputs()]
    for seed in range(5):
        feed = random_inputs(card, 6, np.random.default_rng(seed))
        out = dict(zip(names, session.run(None, feed), strict=True))
        mask = feed["clamp_mask"] > 0
        np.testing.assert_array_equal(out["notes"][mask], feed["clamp_value"][mask])
        silent = feed["x"][..., 0] == 0
        assert (out["probability"][..., 1][silent] == 0).all()
        assert (out["notes"][..., 1][silent & ~mask] == 0).all()
        assert set(np.unique(out["notes"][..., :2])) <= {0.0, 1.0}
        silent = out["notes"][..., 0] == 0
        assert (out["notes"][~mask & silent] == 0).all()
        assert (np.abs(out["notes"][..., 3][~mask]) <= 1).all()
        np.testing.assert_allclose(out["log_prob_tracks"].sum(1), out["log_prob"], rtol=1e-5)


def test_likelihood_is_counted_at_neutral_controls(exported):
    _, path = exported
    session, card = open_session(path), read_card(path)
    feed = random_inputs(card, 4, np.random.default_rng(2))
    feed["clamp_mask"][:] = 1
    one = session.run(["log_prob"], feed)[0]
    feed["temperature"][:], feed["density"][:], feed["u"][:] = 0.3, 3.0, 0.1
    np.testing.assert_allclose(session.run(["log_prob"], feed)[0], one, rtol=1e-6)  # sums of as many rounds as it took


def test_density_and_temperature_do_what_they_say(exported):
    _, path = exported
    session, card = open_session(path), read_card(path)
    chance = np.random.default_rng(4)
    feed = random_inputs(card, 64, chance)
    feed["clamp_mask"][:], feed["temperature"][:] = 0, 1

    def strikes(density):
        feed["density"][:] = density
        notes = session.run(["notes"], feed)[0]
        return (notes[..., 0] - notes[..., 1]).sum()

    assert strikes(1 / 256) < strikes(0.25)  # beyond what was learned the odds are moved
    assert strikes(4.0) < strikes(256.0)
    assert strikes(4.0) != strikes(1.0) != strikes(0.25)
    feed["density"][:] = 1
    feed["temperature"][:] = 0.1
    cold = session.run(["probability"], feed)[0][..., 0]
    feed["temperature"][:] = 1
    warm = session.run(["probability"], feed)[0][..., 0]
    assert np.abs(cold[:, 0] - 0.5).mean() > np.abs(warm[:, 0] - 0.5).mean()


def test_an_interval_means_the_same_in_every_key():
    """What the voicing adds moves along when everything that it hears is transposed, the chords too."""
    voicing = network().head.voicing
    core, logits = torch.randn(1, 10), torch.randn(1, DECISIONS)
    chosen, heard = (torch.rand(1, DECISIONS) < 0.1).float(), (torch.rand(1, HEARD) < 0.1).float()
    likely = torch.rand(1, SLOTS)
    planes = [heard, chosen, likely, logits]

    def within(value, first, last):
        """Nothing but `first` to `last` of each pitched track."""
        tracks = list(value.unflatten(-1, (-1, SLOTS)).split(WIDTHS, -1))
        for k, track in enumerate(tracks[1:], 1):
            tracks[k] = torch.zeros_like(track)
            tracks[k][..., first : last or None] = track[..., first : last or None]
        return torch.cat(tracks, -1).flatten(-2)

    def up(value):
        tracks = value.unflatten(-1, (-1, SLOTS)).split(WIDTHS, -1)
        return torch.cat([tracks[0], *(t.roll(5, -1) for t in tracks[1:])], -1).flatten(-2)

    planes = [within(p, 0, -5) for p in planes]
    chords = (torch.rand(1, CHORDS // 12, 12) < 0.3).float()
    fits, stirred = voicing.fit(chords.flatten(-2))
    moved_fits, moved = voicing.fit(chords.roll(5, -1).flatten(-2))
    assert fits.abs().max() > 1
    torch.testing.assert_close(up(within(fits, 0, -5)), within(moved_fits, 5, None))
    here, there = (voicing(core, *p, voicing.weights()) for p in ((*planes, stirred), (*map(up, planes), moved)))
    assert here.abs().max() > 1
    torch.testing.assert_close(up(within(here, 0, -5)), within(there, 5, None), atol=1e-4, rtol=1e-4)


def test_a_slot_hears_those_before_it_and_no_other():
    """Autoregression holds: the gradient of each logit is nothing for its own slot and those after it."""
    model = network()
    core, x = torch.randn(1, 10), (torch.rand(1, HEARD) < 0.1).float()
    given = torch.zeros(1, DECISIONS + len(WIDTHS))
    heard = torch.autograd.functional.jacobian(
        lambda y: model.head(core, x, y, given, torch.zeros(1, HARMONY), torch.zeros(1, WISHES), torch.zeros(1, CHORDS))[0][0],
        torch.rand(1, DECISIONS),
    )
    heard = heard[:, 0] != 0  # (logit, decision)
    slot = torch.arange(DECISIONS) % SLOTS
    assert not heard[slot[:, None] <= slot[None]].any()
    assert heard[slot[:, None] > slot[None]].float().mean() > 0.99


def test_what_the_player_dictates_reaches_the_tracks_before_his(exported):
    _, path = exported
    session, card = open_session(path), read_card(path)
    feed = random_inputs(card, 1, np.random.default_rng(5))
    feed["clamp_mask"][:] = 0
    feed["clamp_mask"][:, card.track_slices()["lead"]] = 1  # the last track
    chances = []
    for note in (150, 170):
        feed["clamp_value"][:] = 0
        feed["clamp_value"][:, note, 0] = 1
        chances.append(session.run(["probability"], feed)[0][0, card.track_slices()["drums"], 0])
    assert np.abs(chances[0] - chances[1]).max() > 1e-3


def test_evaluator_equals_pytorch(exported):
    model, path = exported
    chance = np.random.default_rng(6)
    rolls = []
    for steps in (20, 100, 5):
        roll = np.where(chance.random((steps, SLOTS)) < 0.05, ONSET, 0).astype(np.uint8)
        roll[1:][(roll[:-1] != 0) & (roll[1:] == 0) & (chance.random((steps - 1, SLOTS)) < 0.5)] = HELD
        orphan = roll == HELD
        orphan[1:] &= roll[:-1] == 0
        roll[orphan] = ONSET
        rolls.append(roll)
    found = nats(open_network(path), rolls, batch=2)
    for roll, value in zip(rolls, found, strict=True):
        batch = recipe.collate([recipe.cut(recipe.Piece("a", "valid", roll), 0, len(roll), 0)])
        want, steps, _ = recipe.loss(model, batch, {})
        assert value.shape == (len(roll), 5)
        assert float(steps) == len(roll)
        assert value.sum() == pytest.approx(float(want.detach()), rel=1e-4)


def test_alone_the_same_seed_plays_the_same_and_its_own_notes_are_as_likely_as_it_said(exported):
    _, path = exported
    graph = open_network(path)
    one, two, again = (play_alone(graph, [seed], 2)[0] for seed in (1, 2, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, two)
    assert np.array_equal(play_alone(graph, [1, 2], 2)[1], two)  # a seed plays the same in company
    assert np.array_equal(from_channels(channels(one)), one)


def test_given_features_tell_values_and_shares():
    mask = torch.zeros(SLOTS)
    mask[:12] = 1
    told = given_features(torch.ones(DECISIONS), mask)
    assert told[:12].tolist() == [1.0] * 12
    assert told.sum() == 24 + 1
    assert told[DECISIONS:].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_the_card_says_what_it_was_trained_on(exported):
    _, path = exported
    card = read_card(path)
    assert [t.name for t in card.tracks] == ["drums", "bass", "chords", "pad", "lead"]
    assert {(a.layer, a.signal) for a in card.activations} == {(k, s) for k in range(2) for s in "hcifgo"}
    assert card.training["command"] == "train"
    assert json.loads(card.model_dump_json())["figures"] == {"valid_nats_per_step": 1.0}


def song_folder(folder):
    """Six short songs whose drums and bass repeat, so that a small network learns something at once."""
    folder.mkdir()
    for index in range(6):
        roll = np.zeros((160, SLOTS), np.uint8)
        roll[::4, 0] = roll[2::4, 3] = ONSET
        roll[::8, 12 + index] = ONSET
        roll[1::8, 12 + index] = HELD
        (folder / f"{index}.mid").write_bytes(to_midi(roll))
    rows = [{"path": f"{i}.mid", "split": "valid" if i == 5 else "train", "licence": "CC0"} for i in range(6)]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_silent_bars_and_endless_notes_are_not_learned_from():
    roll = np.zeros((160, SLOTS), np.uint8)
    roll[:16, 0], roll[32:, 0] = ONSET, ONSET
    roll[32, 20], roll[33:, 20], roll[110, 20] = ONSET, HELD, ONSET
    tidy = recipe.tidy(recipe.Piece("a", "train", roll)).roll
    assert tidy.dtype == np.uint8
    assert len(tidy) == 144  # the second bar was silent
    sounding = np.flatnonzero(tidy[:, 20])
    assert sounding.tolist() == [*range(16, 80), *range(94, 144)]


def test_streams_depend_on_the_update_alone(tmp_path):
    data = recipe.dataset([song_folder(tmp_path / "songs")], SMALL, tmp_path / "cache")
    straight = [data.batch(update, 0, 1) for update in range(30)]
    later = recipe.dataset([tmp_path / "songs"], SMALL, tmp_path / "cache").batch(25, 0, 1)
    assert all(torch.equal(straight[25][k], later[k]) for k in later)
    assert all(torch.equal(straight[3][k], data.batch(3, 0, 1)[k]) for k in later)
    for before, after in itertools.pairwise(straight):
        goes_on = ~after["fresh"]
        # What the piece was before the window before is heard again as well, as far as it is needed.
        assert torch.equal(after["roll"][: PAST - 16, goes_on], before["roll"][16:PAST, goes_on])
        assert torch.equal(after["roll"][PAST - 16 : PAST, goes_on], before["roll"][PAST:, goes_on])
        assert torch.equal(after["position"][goes_on], before["position"][goes_on] + 16)
        assert not (after["roll"][:PAST, after["fresh"]] != 0).any()
    assert any(b["fresh"].any() for b in straight[1:])


def test_an_unheard_track_is_played_from_the_others_and_only_its_strikes_count():
    model = network()
    roll = np.zeros((40, SLOTS), np.uint8)
    roll[::4, 0] = roll[::8, 20] = ONSET
    roll[1::8, 20] = roll[2::8, 20] = HELD
    bass = np.asarray([False, True, False, False, False])

    def nats(roll, unheard):
        total, steps, _ = recipe.loss(
            model, recipe.collate([recipe.cut(recipe.Piece("a", "valid", roll), 0, 40, 0, unheard)]), {}
        )
        assert float(steps) == 40
        return float(total.detach())

    short = roll.copy()
    short[short == HELD] = 0
    assert nats(roll, bass) < nats(short, bass)  # what it cannot hold costs nothing, unlike silence there
    assert nats(roll, bass) != pytest.approx(nats(roll, np.zeros_like(bass)))


def drum_folder(folder):
    """Two beats by hand, each louder to its end, a little late off the beat."""
    folder.mkdir()
    for index, split in enumerate(["train", "valid"]):
        score = symusic.Score(480)
        score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
        track = symusic.Track("kit", 0, True)
        for i in range(128):
            track.notes.append(
                symusic.Note(max(120 * i + (12 if i % 2 else -12) + index, 0), 30, 42 if i % 4 else 36, 30 + i // 2)
            )
        score.tracks.append(track)
        score.tracks.append(track)
        (folder / f"{split}.mid").write_bytes(score.dumps_midi())
    rows = [{"path": f"{s}.mid", "split": s} for s in ("train", "valid")]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_the_seed_changes_the_order_of_songs(tmp_path):
    def first(seed):
        data = recipe.dataset([song_folder(tmp_path / str(seed))], {**SMALL, "seed": seed}, tmp_path / "cache")
        return [data.batch(update, 0, 1)["roll"] for update in range(4)]

    one, two = first(1), first(2)
    assert not all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_small_folder_without_a_validation_split_holds_some_out(tmp_path):
    folder = song_folder(tmp_path / "songs")
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps({"path": f"{i}.mid", "split": "train"}) for i in range(6)))
    data = recipe.dataset([folder], SMALL, tmp_path / "cache")
    assert (len(data.shelves[0]), [p.name for p in data.held_out]) == (5, ["0.mid"])
    for index in range(1, 6):
        (folder / f"{index}.mid").unlink()
    with pytest.raises(TrainingError, match="one piece cannot be learned from and validated on"):
        recipe.dataset([folder], SMALL, tmp_path / "cache")


def test_drums_alone_are_mixed_in_and_the_band_is_not_taught_to_be_silent(tmp_path):
    folders = [song_folder(tmp_path / "songs"), drum_folder(tmp_path / "drums")]
    data = recipe.dataset(folders, {**SMALL, "partial": 0.5, "gain": 0}, tmp_path / "cache")
    assert (len(data.shelves[0]), len(data.partial)) == (5, 1)
    assert all(torch.equal(b["known"], torch.ones_like(b["known"])) for b in data.valid())  # the figure is of bands
    seen = [data.batch(update, 0, 1) for update in range(20)]
    alone = torch.cat([b["known"][:, 1] for b in seen]) == 0
    assert 0.2 < alone.float().mean() < 0.8
    model = network()
    cut = recipe.cut(data.partial[0], 0, 64, 0)
    busy = replace(cut, roll=cut.roll.copy())
    busy.roll[PAST:, 100] = ONSET  # in a track of which nothing is known
    model.train()
    model.given_share = model.forget_share = model.asked_share = 0.0
    torch.manual_seed(0)
    total, _, _ = recipe.loss(model, {**recipe.collate([cut]), "usual": data.usual}, {})
    total.backward()
    bias = model.head.direct.bias.grad
    assert (bias[12:SLOTS] == 0).all()
    assert (bias[:12] != 0).all()


def test_levels_of_sources_are_made_alike(tmp_path):
    data = recipe.dataset([drum_folder(tmp_path / "drums")], SMALL, tmp_path / "cache")
    expression, struck = data.partial[0].expression, data.partial[0].roll == ONSET
    assert expression.velocity[struck].mean() == pytest.approx(LEVEL, abs=1)
    assert np.ptp(expression.velocity[struck]) == 63


def test_every_velocity_and_offset_has_a_chance_and_together_they_are_certain():
    for least, most in ((1, 127), (-60, 60)):
        values = torch.arange(least, most + 1, dtype=torch.float64)
        for location, scale in ((80.0, 10.0), (-30.0, 0.3), (200.0, 90.0)):
            chances = log_prob(values, torch.tensor(location), torch.tensor(scale), least, most).exp()
            assert float(chances.sum()) == pytest.approx(1.0, abs=1e-6)


def test_strikes_that_are_dictated_or_not_known_do_not_count(tmp_path):
    data = recipe.dataset([drum_folder(tmp_path / "drums")], SMALL, tmp_path / "cache")
    model, batch = network(), recipe.collate([recipe.cut(data.partial[0], 0, 64, 0)])
    core = torch.zeros(64, 1, 10)
    heard = torch.zeros(64, 1, SLOTS)
    mask = torch.zeros(64, 1, SLOTS)
    velocity, offset, felt = recipe.strike_nats(model, batch, core, heard, mask, None)
    assert velocity.shape == (64, 1, SLOTS)
    assert offset.shape == (64, 1, 12)
    assert felt.shape == (1, 1, 64)
    struck = batch["roll"][PAST:] == ONSET
    assert ((velocity > 0) == struck).all()
    mask[..., 0] = 1
    dictated, _, _ = recipe.strike_nats(model, batch, core, heard, mask, None)
    assert (dictated[..., 0] == 0).all()
    batch["velocity"][:] = 0
    unknown, _, _ = recipe.strike_nats(model, batch, core, heard, mask, None)
    assert (unknown == 0).all()


def test_harmony_of_the_graph_is_that_of_training(exported):
    _, path = exported
    graph = open_network(path)
    chance = np.random.default_rng(8)
    lead = graph.card.track_slices()["lead"]
    roll = np.zeros((PAST + 40, SLOTS), np.uint8)
    roll[PAST:, lead] = np.where(chance.random((40, 48)) < 0.1, ONSET, 0)
    feed = graph.begin(1)
    feed["clamp_mask"][:, lead] = 1
    want = gather_harmony(torch.from_numpy((roll != 0).astype(np.float32))[:, None])  # (T, 1, HARMONY)
    for step in range(40):
        feed["clamp_value"] = np.pad(channels(roll[PAST + step]), ((0, 0), (0, 2)))[None]
        graph.step(feed)
        np.testing.assert_allclose(harmony_features(torch.from_numpy(feed["harmony"])), want[step], rtol=1e-4, atol=1e-5)
    before = feed["harmony"]
    feed["clamp_mask"][:] = 1  # nobody accompanies
    graph.step(feed)
    assert (feed["harmony"] < before).all()


def test_led_astray_the_others_have_been_in_another_key_and_what_is_dictated_has_not():
    torch.manual_seed(5)
    roll = np.zeros((PAST + 30, SLOTS), np.uint8)
    roll[::2, [0, 20, 60, 110, 150]] = ONSET  # one note in every track
    notes = recipe.decisions(torch.from_numpy(roll))[:, None].repeat(1, 40, 1)
    tracks = torch.zeros(40, 5)
    tracks[:20, 4] = 1  # the lead is dictated to half of the streams
    moved = recipe._lead_astray(notes, tracks, tracks[:, 4])
    lead = slice(140, 188)
    assert torch.equal(moved[..., lead], notes[..., lead])
    assert torch.equal(moved[:, 20:], notes[:, 20:])
    assert torch.equal(moved[..., :12], notes[..., :12])  # drums have no key
    astray = (moved != notes).any(-1)[:, :20]  # (PAST+T, 20)
    assert astray[0].all()
    ends = astray.sum(0)
    assert ((ends == len(notes) // 2) | (ends < len(notes) // 2)).all()
    assert len(set(ends.tolist())) > 5
    assert (moved.sum(-1) == notes.sum(-1)).all()  # as many notes as before


def test_a_louder_past_is_gone_on_with_louder_when_the_network_says_so(exported):
    _, path = exported
    session, card = open_session(path), read_card(path)
    feed = random_inputs(card, 8, np.random.default_rng(9))
    feed["clamp_mask"][:] = 0
    soft = session.run(["notes", "probability"], {**feed, "x": feed["x"] * np.float32([1, 1, 0.2, 1])})
    loud = session.run(["notes", "probability"], feed)
    np.testing.assert_array_equal(soft[1], loud[1])  # which notes sound does not hang on how loud they were
    np.testing.assert_array_equal(soft[0][..., :2], loud[0][..., :2])
    struck = (loud[0][..., 0] == 1) & (loud[0][..., 1] == 0)
    assert not np.array_equal(soft[0][struck], loud[0][struck])


def test_in_a_jam_notes_come_as_early_and_as_loud_as_chosen_and_are_remembered_so(exported):
    _, path = exported
    runner = Runner(path)
    registry = registry_of(runner.card)
    link = Link.private(Layout.of(runner.card, len(registry)))
    live = Live(registry, link.values)
    live.reset_to_defaults()
    live.set("mode", MODES.index("solo"))
    jam, grid, per_step = Jam(runner, live, link, "lead"), BeatTimeline(0.0, 0.0, 120.0, 48000.0), 6000
    sent, heard = link["notes"].reader(0), link["events"].reader(0)
    offsets: list[float] = []
    before = np.zeros((SLOTS, 4), np.float32)
    for step in range(8, 24):
        jam.hear(heard.read(), grid, 0)
        jam.choose(step, grid)
        x = runner.inputs["x"][0]
        notes = runner.outputs["notes"][0].copy()
        jam.send(0)
        jam.publish(0.1, False)
        for event in sent.read():
            if event["kind"] == NOTE_ON:
                slot = next(s for s in np.flatnonzero(notes[:, 0]) if _is(runner.card, s, event))
                assert abs(int(event["frame"]) - (step + notes[slot, 3]) * per_step) <= 1
                assert int(event["velocity"]) == round(127 * float(notes[slot, 2]))
                offsets.append(float(notes[slot, 3]))
            link.writer("events").push(event)
        struck = (before[:, 0] == 1) & (before[:, 1] == 0)
        np.testing.assert_allclose(x[struck, 3], before[struck, 3].clip(-0.5, 0.499), atol=1e-3)
        np.testing.assert_allclose(x[struck, 2], before[struck, 2], atol=1 / 127)
        before = notes
    assert min(offsets) < -0.01
    assert max(offsets) > 0.01


def _is(card, slot, event):
    track, pitch = card.slot_tracks()[slot], card.slot_pitches()[slot]
    return (track, pitch) == (int(event["track"]), int(event["pitch"]))


def test_the_expression_is_measured_beside_its_baselines(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recipe, "DEFAULTS", SMALL)
    songs, drums = song_folder(tmp_path / "songs"), drum_folder(tmp_path / "drums")
    cache = ["--cache", str(tmp_path / "cache")]
    command = ["festival", "--data", str(songs), str(drums), "--out", str(tmp_path / "run"), "--updates", "60", "--lr", "0.02"]
    assert main([*command, "--valid-every", "60", *cache, "--threads", "1"]) == 0
    figures = tmp_path / "touch.json"
    weights = str(tmp_path / "run/best.safetensors")
    network = str(tmp_path / "run/festival.onnx")
    assert expression.main([weights, "--data", str(songs), str(drums), "--json", str(figures), "--card", network, *cache]) == 0
    assert read_card(tmp_path / "run/festival.onnx").figures["valid_nats_per_strike"] == json.loads(figures.read_text())
    metre_figures = [weights, "--data", str(songs), "--card", network, *cache]
    assert metres.main(metre_figures) == 0
    card = read_card(tmp_path / "run/festival.onnx")
    assert card.figures["valid_by_metre"]["4/4"]["pieces"] == 1
    assert card.figures["valid_nats_per_step"] == card.figures["valid_by_metre"]["4/4"]["nats_per_step"]
    assert card.metres == ("4/4",)
    found = json.loads(figures.read_text())["drums alone"]
    assert "nats each" in capsys.readouterr().out
    assert found["offset"]["drums"]["strikes"] == 128
    # Its strokes are late by turns: the position knows all of it, a slot alone does not.
    assert found["offset"]["drums"]["slot_and_position"] < found["offset"]["drums"]["slot"] - 0.5


def test_one_command_trains_and_exports_a_network_that_keeps_the_contract(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "DEFAULTS", SMALL)
    out = tmp_path / "run"
    command = ["festival", "--data", str(song_folder(tmp_path / "songs")), "--out", str(out), "--threads", "1"]
    command += ["--updates", "40", "--lr", "0.02", "--valid-every", "20", "--cache", str(tmp_path / "cache")]
    assert main(command) == 0
    card = read_card(out / "festival.onnx")
    assert card.training["data"] == [{"name": "songs", "licence": "CC0"}]
    assert card.training["updates"] == 40
    graph = open_network(out / "festival.onnx")
    roll = recipe.dataset([tmp_path / "songs"], SMALL, tmp_path / "cache").held_out[0].roll
    value = nats(graph, [roll])[0].sum(1).mean()
    assert value == pytest.approx(card.figures["valid_nats_per_step"], rel=1e-3)
    assert main(command) == 2  # a run is not overwritten
    assert load_recipe("festival") is recipe


def test_chords_are_told_of_the_step_and_of_the_beat_after_it(tmp_path):
    classes = torch.tensor([[1, 6]] * 4)[:, None]  # C, then F
    told = recipe.told_chords(classes)
    assert told.shape == (4, 1, CHORDS)
    assert told[0, 0].nonzero()[:, 0].tolist() == [0, 12, 16, 19, 24 + 5, 36, 36 + 5, 36 + 9]
    model = network()
    model.chord_share, model.next_share = 0.6, 0.5
    torch.manual_seed(0)
    some = recipe._some_chords(told.expand(-1, 4000, -1), model)
    now, after = some[..., :24].any(-1), some[..., 24:].any(-1)
    assert (now[0] == now).all()
    assert now[0].float().mean() == pytest.approx(0.6, abs=0.05)
    assert not (after & ~now).any()
    assert after[0].float().mean() == pytest.approx(0.3, abs=0.05)


def test_what_is_dictated_is_known_throughout_at_some_steps_or_never():
    torch.manual_seed(0)
    hidden = recipe._hidden(40, 4000, 0.5, torch.device("cpu"))[..., 0].mean(0)
    assert (hidden == 0).float().mean() == pytest.approx(0.5, abs=0.05)
    assert (hidden == 1).float().mean() == pytest.approx(0.25, abs=0.05)


def test_a_player_whose_notes_are_not_known_yet_is_heard_as_one_who_is_dictated(exported):
    _, path = exported
    session, card = open_session(path), read_card(path)
    lead = card.track_slices()["lead"]
    feed = random_inputs(card, 4, np.random.default_rng(11))
    feed["player"][:], feed["clamp_mask"][:] = 0, 0
    names = ["harmony_next", "notes"]
    nobody = session.run(names, feed)
    feed["player"][:, lead] = 1
    hidden = session.run(names, feed)
    feed["player"][:] = 0
    feed["clamp_mask"][:, lead] = 1
    dictated = session.run(names, feed)
    np.testing.assert_array_equal(hidden[0], dictated[0])
    assert (hidden[0] > nobody[0]).any()
    np.testing.assert_array_equal(dictated[1][:, lead], feed["clamp_value"][:, lead])
    assert not np.array_equal(hidden[1][:, lead], feed["clamp_value"][:, lead])


def test_a_kick_is_asked_for_where_every_bar_has_one_and_none_where_no_bar_has():
    model = network()
    model.kick_share = 1.0
    roll = torch.zeros(PAST + 32, 4, SLOTS, dtype=torch.uint8)
    roll[PAST + 3, 0, 0] = roll[PAST + 20, 0, 0] = ONSET  # in both bars
    roll[PAST + 3, 1, 0] = ONSET  # in one
    roll[PAST + 3, 3, 0] = ONSET  # in the only one there is
    weight = torch.ones(32, 4, dtype=torch.bool)
    weight[16:, 3] = False
    batch = {"roll": roll, "weight": weight, "known": torch.ones(4, 5, dtype=torch.bool)}
    batch |= {"position": torch.zeros(4, dtype=torch.int64), "metre": torch.tensor([[4, 4]] * 4)}
    assert recipe._kick(model, batch)[:, 0].tolist() == [1, 0, -1, 1]
    batch["metre"][:] = torch.tensor([2, 4])  # four bars of half the length
    assert recipe._kick(model, batch)[:, 0].tolist() == [0, 0, -1, 0]
    batch["position"][:] = 4
    batch["known"][2] = False
    assert recipe._kick(model, batch)[2] == 0
    model.kick_share = 0.0
    assert not recipe._kick(model, batch).any()
    heard = recipe._without_kick(torch.ones(4, 4000, DECISIONS), torch.tensor([1.0, 0.0, -1.0, 0.0]).repeat(1000)[:, None])
    told, silent = heard[..., 0].reshape(4, 1000, 4), heard[..., SLOTS].reshape(4, 1000, 4)
    assert (told == silent).all()
    assert (told == told[:1]).all()
    assert told.mean((0, 1)).tolist() == pytest.approx([0.5, 1.0, 0.5, 1.0], abs=0.06)
    assert (heard[..., 1:SLOTS] == 1).all()


def test_a_step_stands_where_its_metre_says_and_in_four_four_where_it_always_stood():
    steps = torch.arange(600)[:, None]
    four, nothing = (place_of(steps, facts_of(torch.tensor([m]))) for m in ([4, 4], [0, 0]))
    assert torch.equal(four.position, steps % 128)
    assert torch.equal(four.step, steps % BAR)
    assert (four.row < BAR).all()  # to which nothing is added
    assert all(map(torch.equal, four, nothing))
    rows = set()
    for metre in METRES:
        place = place_of(steps, facts_of(torch.tensor([metre])))
        first = place.row[steps % metre.bar == 0].unique()
        assert len(first) == 1  # a bar begins where its length divides the position, always in the same row
        assert place.row.unique().tolist() == list(range(int(first), int(first) + metre.bar))
        assert (place.step[steps % metre.bar == 0] == 0).all()
        assert torch.equal(place.position[: metre.bar * 16 // 2], place.position[metre.bar * 16 : metre.bar * 24])
        rows |= set(place.row[:, 0].tolist())
    assert rows == set(range(sum(m.bar for m in METRES)))
    strange = place_of(steps, facts_of(torch.tensor([[11, 5]])))  # learned by nobody
    assert (strange.step[::55] == 0).all()
    assert int(strange.position.max()) < 128


def test_bars_before_are_heard_by_the_metre_told(exported):
    """In 3/4 the network hears what sounded 12, 24 and 48 steps ago, and in 4/4 it does not."""
    _, path = exported
    session, card = open_session(path), read_card(path)
    feed = random_inputs(card, 1, np.random.default_rng(12))
    feed["past"][:] = 0

    def differs(metre, ago):
        feed["metre"][:] = metre
        other = {**feed, "past": feed["past"].copy()}
        other["past"][:, PAST - ago] = 1
        one, two = (session.run(["h0_next", "probability"], f) for f in (feed, other))
        return not all(map(np.array_equal, one, two))

    assert [ago for ago in (12, 16, 24, 32, 48, 64, 96) if differs([3, 4], ago)] == [12, 24, 48]
    assert [ago for ago in (12, 16, 24, 32, 48, 64, 96) if differs([4, 6], ago)] == [24, 48, 96]
    for metre in ([4, 4], [0, 0]):
        assert [ago for ago in (12, 16, 24, 32, 48, 64, 96) if differs(metre, ago)] == [16, 32, 64]


def test_what_is_learned_of_another_metre_is_heard_in_it_alone():
    model = network()
    steps = torch.arange(48)[:, None]
    told = [torch.zeros(48, 1, HEARD), torch.zeros(48, 1, HARMONY), torch.zeros(48, 1, CHORDS)]

    def core(metre):
        with torch.no_grad():
            return model.core(told[0], place_of(steps, facts_of(torch.tensor([metre]))), *told[1:], None)[0]

    four, three = core([4, 4]), core([3, 4])
    with torch.no_grad():
        model.metre += 1.0
    assert torch.equal(core([4, 4]), four)
    assert not torch.equal(core([3, 4]), three)


def test_songs_in_other_metres_are_heard_as_often_as_asked_and_from_a_bar_line_on(tmp_path):
    folder = song_folder(tmp_path / "songs")
    for index, metre in enumerate(METRES[1:4]):
        roll = np.zeros((metre.bar * 40, SLOTS), np.uint8)
        roll[:: metre.bar, [0, 12]] = ONSET
        (folder / f"train{index}.mid").write_bytes(to_midi(roll, grid=metre))
    rows = [{"path": f.name, "split": "valid" if f.name == "5.mid" else "train"} for f in sorted(folder.glob("*.mid"))]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = recipe.dataset([folder], {**SMALL, "metres": 0.3, "streams": 40, "window": 640}, tmp_path / "cache")
    assert data.facts["metres"].keys() == {"4/4", "3/4", "2/4", "5/4"}
    others = total = 0
    for update in range(12):
        batch = data.batch(update, 0, 1)
        four = (batch["metre"] == 4).all(-1)
        others, total = others + int((~four).sum()), total + len(four)
        kicks = batch["roll"][PAST:, :, 0] == ONSET
        bar = batch["metre"].prod(-1)
        for stream in (~four).nonzero()[:, 0].tolist():
            at = kicks[:, stream].nonzero()[:, 0] + batch["position"][stream]
            assert len(at)
            assert (at % bar[stream] == 0).all()
    assert others / total == pytest.approx(0.3, abs=0.08)
