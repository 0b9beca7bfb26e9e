"""The scan: every file apart, what crashes or hangs is told and remembered, and names that mean something."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from engine.core.errors import PluginError
from engine.host import catalogue
from engine.host.catalogue import Catalogue, files, scan_apart
from tests.system.rig import need


def library(folder: Path, name: str, code: str) -> Path:
    """Make a .clap file that does something as it is loaded."""
    import subprocess

    source, path = folder / f"{name}.c", folder / f"{name}.clap"
    begins = "__attribute__((constructor)) void begin(void)"
    headers = "".join(f"#include <{header}.h>\n" for header in ("stdlib", "unistd", "stdio"))
    source.write_text(f"{headers}{begins} {{ {code} }}\n")
    subprocess.run([need("g++", "apt install g++"), "-x", "c", "-shared", "-fPIC", str(source), "-o", str(path)], check=True)
    return path


def test_a_scan_finds_remembers_and_forgets(fixtures: Path, tmp_path: Path):
    place = tmp_path / "plugins"
    (place / "deeper").mkdir(parents=True)
    shutil.copy(fixtures / "synth.clap", place / "deeper" / "synth.clap")
    shutil.copy(fixtures / "effect.clap", place / "effect.clap")
    (place / "song.mid").write_bytes(b"MThd")
    (place / "broken.clap").write_bytes(b"no library")
    cache, told = tmp_path / "cache.json", []
    found = Catalogue(cache)
    found.scan([place], on_file=told.append)
    assert sorted(about.name for about in found.plugins) == ["Fixture Effect", "Fixture Synth"]
    assert {Path(one.path).name for one in told} == {"synth.clap", "effect.clap", "broken.clap"}
    assert "is no CLAP plugin" in next(one.fault for one in found.found if "broken" in one.path)

    told.clear()
    again = Catalogue(cache)
    again.scan([place], on_file=told.append)
    assert not told, "nothing has changed: nothing is loaded"
    assert [about.id for about in again.plugins] == [about.id for about in found.plugins]

    os.utime(place / "effect.clap", (1, 1))
    again.scan([place], on_file=told.append)
    assert [Path(one.path).name for one in told] == ["effect.clap"]


def test_what_a_file_does_as_it_is_loaded_costs_its_own_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    crash = library(tmp_path, "crash", "abort();")
    hang = library(tmp_path, "hang", "for (;;) sleep(1);")
    chatty = library(tmp_path, "chatty", 'for (int i = 0; i < 200000; ++i) puts("something that nobody asked for");')
    assert "crashed as it was loaded (signal 6)" in scan_apart(crash).fault
    assert "took longer than 2 s" in scan_apart(hang, limit_s=2).fault
    assert "is no CLAP plugin" in scan_apart(chatty).fault, "what it prints is not what the scan says"
    monkeypatch.setattr(catalogue, "LIMIT_S", 2)
    found = Catalogue(tmp_path / "cache.json")
    with pytest.raises(PluginError, match="signal 6"):
        found.find(str(crash))
    loaded = []
    monkeypatch.setattr(catalogue, "scan_apart", loaded.append)
    with pytest.raises(PluginError, match="signal 6"):
        found.find(str(crash))
    assert not loaded, "what crashed is not tried again"


def test_a_plugin_is_found_by_name_id_file_and_format(fixtures: Path, tmp_path: Path):
    found = Catalogue(tmp_path / "cache.json")
    found.scan([fixtures])
    for text in ("Fixture Synth", "fixture synth", "plugin:Fixture Synth", "clap:Fixture Synth", "algoritmo.fixture.synth"):
        assert found.find(text).path.endswith("synth.clap"), text
    assert found.find(f"{fixtures}/synth.clap#algoritmo.fixture.synth").is_instrument
    with pytest.raises(PluginError, match="did you mean 'Fixture Synth'"):
        found.find("plugin:Fixture Sinth")
    with pytest.raises(PluginError, match="algoritmo plugins"):
        found.find("plugin:Nothing like it")
    with pytest.raises(PluginError, match="is not there"):
        found.find("/nowhere/at_all.clap")
    with pytest.raises(PluginError, match="no plugin 'other' in it"):
        found.find(f"{fixtures}/synth.clap#other")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "none"}', '{"version": 1, "found": [{}]}', "\0\0"])
def test_a_damaged_cache_is_made_anew(fixtures: Path, tmp_path: Path, text: str):
    cache = tmp_path / "cache.json"
    cache.write_text(text)
    found = Catalogue(cache)
    assert not found.plugins
    found.scan([fixtures / "synth.clap"])
    assert json.loads(cache.read_text())["found"]


def test_a_folder_of_five_hundred_is_looked_through_and_bundles_are_not(tmp_path: Path):
    for number in range(250):
        (tmp_path / f"{number}.clap").write_bytes(b"")
        (tmp_path / "more" / f"{number}.vst3" / "Contents" / "inner.vst3").mkdir(parents=True)
    assert len(files([tmp_path])) == 500
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(files([tmp_path])) >= 500, "a link that leads back ends"


def test_five_hundred_files_of_which_one_is_a_plugin_are_told_apart_without_being_opened(fixtures: Path, tmp_path: Path):
    place = tmp_path / "plugins"
    place.mkdir()
    other = bytearray((fixtures / "odd.clap").read_bytes()[:64])
    other[18:20] = (183).to_bytes(2, "little")
    for number in range(166):
        (place / f"text{number}.clap").write_text("a song, and no plugin")
        (place / f"arm{number}.clap").write_bytes(other)
        (place / f"empty{number}.vst3" / "Contents" / "aarch64-linux").mkdir(parents=True)
    (place / "windows.clap").write_bytes(b"MZ" + bytes(62))
    shutil.copy(fixtures / "synth.clap", place / "synth.clap")
    found = Catalogue(tmp_path / "cache.json")
    found.scan([place])
    assert [about.name for about in found.plugins] == ["Fixture Synth"]
    faults = {Path(one.path).stem.rstrip("0123456789"): one.fault for one in found.found if one.fault}
    assert len(found.found) == 500
    assert "is no library; it is no CLAP plugin" in faults["text"]
    assert "was made for aarch64, and this is" in faults["arm"]
    assert "was made for aarch64-linux, and this is" in faults["empty"]
    assert "was made for Windows" in faults["windows"]
