"""What the configuration says of a network, held against it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import cli
from engine.core import config
from engine.core.contract import read_card
from engine.core.errors import ConfigError
from engine.core.link import Layout, Link
from engine.core.parameters import Live
from engine.core.values import Values
from engine.jam import settings
from engine.jam.parameters import live_of, registry_of
from tests import tiny


def faults(tiny_onnx, *given: str) -> list[str]:
    return settings.faults(config.load(None, [f"network.name={tiny_onnx}", *given]))


def test_the_defaults_have_no_fault(tiny_onnx):
    assert not faults(tiny_onnx)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("parameters.densty=2", "parameters.densty: there is no such parameter; did you mean density?"),
        ("parameters.chords.level=1", "parameters.chords.level: there is no such parameter; "),  # not of this network
        ("parameters.temperature=hot", "parameters.temperature: 'hot' is not one of: a number from 0.1 to 2"),
        ("parameters.density=99", "parameters.density: 99 is not within 0.25 to 4"),
        ('midi.cc={"densty"=3}', "midi.cc.densty: there is no such parameter; did you mean density?"),
        ('midi.cc={"density"=64}', "midi.cc.density: controller 64 cannot be used; "),
        ("parameters.lead.cutof=1", "parameters.lead.cutof: there is no such parameter; did you mean lead.cutoff?"),
        ("parameters.lead.cutoff=high", "parameters.lead.cutoff: 'high' is not a number"),
        ("parameters.lead.patch=glass", "parameters.lead.patch: set patches.lead to the name of a patch instead"),
        ("midi.cc.lead.rom=3", "midi.cc.lead.rom: there is no such parameter; did you mean lead.room?"),
        ("patches.leed=glass", "patches.leed: tiny has no such track; did you mean lead?"),
        ("jam.mode=sola", "jam.mode: there is no mode 'sola'; did you mean 'solo'?"),
        ("jam.mode=duet", "jam.mode: there is no mode 'duet'; there are: 'trade', 'accompany', 'solo'"),
        ("jam.metre=waltz", "jam.metre: there is no metre 'waltz' (write it as 3/4, 6/8 or 7/8 (3+2+2)); there are: 4/4, 3/4,"),
        ("jam.metre=13/8", "jam.metre: there is no metre '13/8'; there are: 4/4, 3/4,"),
        ("parameters.metre=waltz", "parameters.metre: 'waltz' is not one of: 4/4, 3/4, 2/4,"),
        ("jam.track=chords", "jam.track: tiny has no track 'chords'; it has: drums, bass, lead"),
    ],
)
def test_each_is_named_with_what_to_do(tiny_onnx, given, said):
    (fault,) = faults(tiny_onnx, given)
    assert fault.startswith(said)


def test_switches_and_words_are_values_too(tiny_onnx):
    assert not faults(tiny_onnx, "parameters.drums.mute=true", "parameters.mode=trade", "parameters.bass.mute=off")


@pytest.mark.parametrize(
    "text",
    [
        "[parameters]\nlead.cutoff = 500\nplayer.room = 0.5\n",
        '[parameters]\n"lead.cutoff" = 500\n',
        '[midi.cc]\n"lead.cutoff" = 20\nplayer.room = 21\nlead.patch = 22\n',
        "[parameters.lead]\ncutoff = 500\nlevel = 0.5\n",
    ],
)
def test_knobs_of_patches_that_may_be_loaded_later_are_parameters(tiny_onnx, tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert not settings.faults(config.load(path, [f"network.name={tiny_onnx}"]))


def test_knobs_of_a_patch_of_ones_own_are_parameters(tiny_onnx, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('params = (Param("shimmer", 0, 1, 0),)\n')
    assert faults(tiny_onnx, "parameters.lead.shimmer=1")
    assert not faults(tiny_onnx, "parameters.lead.shimmer=1", f"patches.lead={path}")


def test_a_controller_of_a_track_is_set_on_the_command_line(tiny_onnx):
    assert config.load(None, ["midi.cc.drums.level=20"]).midi.cc == {"drums.level": 20}
    assert not faults(tiny_onnx, "midi.cc.drums.level=20")


def test_a_jam_begins_in_the_metre_that_is_given_or_the_networks_own(tiny_onnx, tmp_path):
    def begun(network, *given: str) -> str:
        card = read_card(Path(network))
        registry = registry_of(card)
        live = Live(registry, Link.private(Layout.of(card, len(registry))).values)
        settings.set_defaults(live, config.load(None, [f"network.name={network}", *given]), card)
        return registry["metre"].text(live.get("metre"))

    waltz = tiny.write(tmp_path / "waltz.onnx", beats_per_bar=3)
    assert begun(tiny_onnx) == "4/4"
    assert begun(waltz) == "3/4"
    assert begun(waltz, "jam.metre=7/8 3+2+2") == "7/8 (3+2+2)"
    assert begun(waltz, "parameters.metre=6/8") == "6/8"


def test_a_network_of_long_timesteps_says_which_metres_it_plays():
    (fault,) = settings.faults(config.load(None, ["network.name=chords", "jam.metre=6/8", "jam.track=player"]))
    assert fault.startswith("jam.metre: chords plays no 6/8: its timesteps are too long; it plays 4/4, 3/4, 2/4, 5/4")


def test_knobs_wait_for_who_declares_them(tiny_onnx):
    given = config.load(None, [f"network.name={tiny_onnx}", "parameters.lead.cutoff=500", "parameters.density=2"])
    registry = registry_of(read_card(given.network_path()))
    live = Live(registry, Values(memoryview(bytearray(Values.size(len(registry)))), len(registry)))
    settings.set_defaults(live, given)
    assert live.get("density") == 2
    assert "lead.cutoff" not in live.registry


def test_the_command_line_tells_all_faults_at_once_wherever_they_are(tiny_onnx, tmp_path, capsys):
    file = tmp_path / "c.toml"
    file.write_text(f'[network]\nname = "{tiny_onnx}"\n[audio]\nblok = 64\n[parameters]\ndensty = 2\n[midi.cc]\ntempo = 64\n')
    assert cli.main(["jam", "--config", str(file), "--set", "patches.leed=glass", "--set", "osc.targets=[{port=0}]"]) == 2
    said = capsys.readouterr().err
    assert f"{file}: 5 faults in the configuration" in said
    for key in ("audio.blok", "parameters.densty", "midi.cc.tempo"):
        assert f"\n  {key}: " in said
    assert "\n  --set patches.leed=glass: patches.leed: " in said
    assert "\n  --set osc.targets=[{port=0}]: osc.targets.0.port: " in said


def test_a_network_that_is_not_there_is_one_fault_more(tmp_path, capsys):
    assert cli.main(["jam", "--set", f"network.name={tmp_path / 'none.onnx'}", "--set", "audio.blok=3"]) == 2
    said = capsys.readouterr().err
    assert "--set: 2 faults in the configuration\n  --set audio.blok=3: audio.blok: " in said
    assert f"\n  --set network.name={tmp_path / 'none.onnx'}: {tmp_path / 'none.onnx'}: cannot be read" in said


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*config._keys(config.Config), "patches.lead", "parameters.density", "midi.cc.tempo", "a.b.c"]),
            st.sampled_from(["3", "-1", "1e9", "nan", "'x'", "true", "[1]", "[{port='a'},{x=1}]", "{}", "{a=1}", "1979-05-27"]),
        ),
        max_size=5,
    )
)
def test_whatever_is_wrong_there_is_a_configuration_without_it(settings_given):
    with contextlib.suppress(ConfigError):  # a setting may need a section where another put a number
        found, wrong = config.sift(None, [f"{key}={value}" for key, value in settings_given])
        assert isinstance(found, config.Config)
        assert len(wrong) <= 4 * len(settings_given)  # some values may be of several kinds, and are none of them


def test_what_is_wrong_is_left_out_of_what_is_read(tmp_path):
    found, wrong = config.sift(None, ["audio.block=fast", "audio.rate=44100", "osc=3", "clock.tempo=90"])
    assert [fault.split(":")[0] for fault in wrong] == ["audio.block", "osc"]
    default = config.Config()
    assert (found.audio.rate, found.clock.tempo) == (44100, 90)
    assert (found.audio.block, found.osc) == (default.audio.block, default.osc)
    with pytest.raises(ConfigError, match="2 faults"):
        config.load(None, ["audio.block=fast", "osc=3"])


def test_a_controller_may_move_a_knob_of_a_patch_that_is_not_loaded_yet_but_no_misspelt_parameter(tiny_onnx):
    assert not faults(tiny_onnx, "midi.cc.player.cutoff=20")
    (fault,) = faults(tiny_onnx, "midi.cc.player.levle=20")
    assert "did you mean player.level?" in fault
    assert len(faults(tiny_onnx, "midi.cc.flute.cutoff=20")) == 1


def test_a_mode_that_there_is_not_is_refused_wherever_values_are_written(tiny_onnx):
    card = read_card(tiny_onnx)
    registry = registry_of(card)
    live = live_of(card, Link.private(Layout.of(card, len(registry))))
    with pytest.raises(ConfigError, match=r"jam\.mode: there is no mode 'duet'"):
        settings.set_defaults(live, config.load(None, ["jam.mode=duet"]))
