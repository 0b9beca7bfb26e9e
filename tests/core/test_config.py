import tomllib
from pathlib import Path

import pytest

from engine.core import config
from engine.core.controllers import Controller
from engine.core.errors import ConfigError
from engine.jam import settings

SHIPPED = Path(__file__).parents[2] / "config.toml"


def test_the_shipped_file_has_every_key_at_its_default(monkeypatch):
    written = tomllib.loads(SHIPPED.read_text())
    monkeypatch.chdir(SHIPPED.parent)  # paths are seen from the file
    assert config.load(Path(SHIPPED.name)) == config.Config()
    assert _keys(written) >= _keys(config.Config().model_dump()) - {"parameters", "midi.cc"}


def _keys(data: dict, prefix: str = "") -> set[str]:
    out = set()
    for key, value in data.items():
        if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            value = value[0]
        out |= _keys(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {prefix + key}
    return out


def test_all_faults_at_once_each_with_its_path(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('[audio]\nrate = "48k"\nblok = 3\n[osc.control]\nport = 99999\n[jam]\nmode = "duet"\n')
    with pytest.raises(ConfigError) as error:
        settings.load(file)
    text = str(error.value)
    for part in ("4 faults", "audio.rate", "audio.blok", "osc.control.port", "jam.mode", "'accompany'"):
        assert part in text


@pytest.mark.parametrize(
    ("setting", "meant"),
    [("audio.blok=3", "audio.block"), ("metwork.name=x", "network"), ("osc.contrl.port=1", "osc.control"), ("tempo=90", "")],
)
def test_a_key_that_is_nearly_one_is_guessed(setting, meant):
    with pytest.raises(ConfigError) as error:
        config.load(None, [setting])
    guess = f"did you mean {meant}? " if meant else "remove it: "
    assert f"there is no such key; {guess}config.toml has all there are" in str(error.value)


def test_a_setting_lies_over_the_file(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[audio]\nblock = 256\n")
    loaded = config.load(file, ["audio.device=null", "clock.tempo=90", "osc.targets=[{port=9100},{port=9101}]"])
    assert (loaded.audio.block, loaded.audio.device, loaded.clock.tempo) == (256, "null", 90)
    assert [t.port for t in loaded.osc.targets] == [9100, 9101]


def test_a_parameter_with_a_dot_can_be_set():
    assert config.load(None, ["parameters.drums.mute=true"]).parameters == {"drums.mute": True}


def test_patches_name_only_what_they_change():
    loaded = config.load(None, ["patches.lead=glass"])
    assert (loaded.patch_of("lead"), loaded.patch_of("bass"), loaded.patch_of("piano")) == ("glass", "bass", "keys")


@pytest.mark.parametrize("setting", ["audio.block", "=3", "audio.=3", "audio.block.x=3"])
def test_a_setting_that_is_none_is_refused(setting):
    with pytest.raises(ConfigError, match=r"--set|audio\.block"):
        config.load(None, [setting])


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe[")
    with pytest.raises(ConfigError, match="is not TOML"):
        config.load(tmp_path / "bad.toml")


def test_an_unknown_network_lists_those_there_are():
    with pytest.raises(ConfigError, match=r"network\.name: no network 'nonesuch'"):
        config.load(None, ["network.name=nonesuch"]).network_path()


@pytest.mark.parametrize(
    ("setting", "inputs"),
    [
        ("midi.inputs=Keystation", ("Keystation",)),
        ("midi.inputs=61", (61,)),
        ('midi.inputs="61"', ("61",)),
        ('midi.inputs=["virtual", 0]', ("virtual", 0)),
    ],
)
def test_a_port_may_stand_by_itself(setting: str, inputs: tuple[str | int, ...]) -> None:
    assert config.load(None, [setting]).midi.inputs == inputs


@pytest.mark.parametrize(
    ("setting", "key", "bound"),
    [
        ("midi.cc.tempo=20", "tempo", 20),
        ("midi.cc.drums.level=20", "drums.level", 20),
        ('midi.cc={"drums.level"=20}', "drums.level", 20),
        ("midi.cc={drums={level=20}}", "drums.level", 20),
        ("midi.cc.drums.level={cc=20, channel=3}", "drums.level", Controller(cc=20, channel=3)),
        ('midi.cc.reset={cc=20, port="Keys"}', "reset", Controller(cc=20, port="Keys")),
    ],
)
def test_a_controller_is_bound_to_a_parameter_by_its_whole_name(setting: str, key: str, bound: int | Controller) -> None:
    assert config.load(None, [setting]).midi.cc == {key: bound}


@pytest.mark.parametrize(
    "setting", ["midi.cc.tempo={cc=20, channel=0}", "midi.cc.tempo={cc=20, canal=3}", "midi.cc.tempo=high"]
)
def test_a_controller_that_is_none_is_refused_by_its_name(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"midi\.cc\.tempo"):
        config.load(None, [setting])


def test_a_file_may_begin_with_a_mark_of_its_encoding(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[audio]\nblock = 128\n")
    assert config.load(path).audio.block == 128


def test_paths_are_seen_from_the_file_they_stand_in_and_from_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = tmp_path / "set" / "config.toml"
    path.parent.mkdir()
    path.write_text(
        '[session]\ndir = "takes"\n[network]\nname = "nets/mine.onnx"\n[patches]\nlead = "~/mine.py"\nbass = "bass"\n'
    )
    found = config.load(path)
    assert found.session.dir == path.parent / "takes"
    assert found.network_path() == path.parent / "nets/mine.onnx"
    assert (found.patches["lead"], found.patches["bass"]) == (str(tmp_path / "home" / "mine.py"), "bass")
    assert config.load(path, ["session.dir=here", "network.name=festival"]).session.dir == Path("here")
    assert config.load(None, ["session.dir=~/there"]).session.dir == tmp_path / "home" / "there"


def test_a_setting_may_name_one_port_and_one_controller():
    found = config.load(None, ["midi.inputs=Keystation", "midi.cc.drums.level=20", "parameters.drums.level=0.5"])
    assert found.midi.inputs == ("Keystation",)
    assert found.midi.cc["drums.level"] == 20
    assert found.parameters == {"drums.level": 0.5}


def test_a_fault_of_set_is_not_blamed_on_the_file(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[audio]\nblock = 128\n")
    with pytest.raises(ConfigError) as told:
        config.load(path, ["audio.rate=5"])
    assert "config.toml:" not in str(told.value)
    assert "--set audio.rate=5: audio.rate" in str(told.value)
    path.write_text("[audio]\nblock = 1\n")
    with pytest.raises(ConfigError, match=r"config.toml: 2 faults"):
        config.load(path, ["audio.rate=5"])


def test_stems_are_recorded_where_they_are_asked_for():
    assert not config.load(None).session.stems
    assert config.load(None, ["session.stems=true"]).session.stems
    with pytest.raises(ConfigError, match=r"session\.stems"):
        config.load(None, ["session.stems=each"])
