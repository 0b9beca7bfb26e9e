"""Presets of CLAP plugins: those that a file itself knows of, in it or in files of their own.

Runs on: host process, whoever scans. Source: clap/factory/preset-discovery.h and clap/ext/preset-load.h of the CLAP project.
"""

from __future__ import annotations

import ctypes as c
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import __version__
from engine.host import clap_abi as abi
from engine.host.clap_host import Library

FACTORIES = (b"clap.preset-discovery-factory/2", b"clap.preset-discovery-factory/draft-2")
LOADS = (b"clap.preset-load/2", b"clap.preset-load.draft/2")
IN_FILE, IN_PLUGIN = 0, 1
MOST = 512  # presets of one plugin
MOST_FILES = 5000  # that are looked into

_Self = c.c_void_p
_Text = c.c_char_p
_Error = c.CFUNCTYPE(None, _Self, c.c_int32, _Text)
_Begin = c.CFUNCTYPE(c.c_bool, _Self, _Text, _Text)
_Flags = c.CFUNCTYPE(None, _Self, c.c_uint32)
_Times = c.CFUNCTYPE(None, _Self, c.c_uint64, c.c_uint64)
_TwoTexts = c.CFUNCTYPE(None, _Self, _Text, _Text)
_Texts = c.CFUNCTYPE(None, _Self, _Text)
_Declare = c.CFUNCTYPE(c.c_bool, _Self, c.c_void_p)
_Get = c.CFUNCTYPE(c.c_void_p, _Self, _Text)


class PluginId(c.Structure):
    """clap_universal_plugin_id."""

    _fields_ = (("abi", _Text), ("id", _Text))


_ForPlugin = c.CFUNCTYPE(None, _Self, c.POINTER(PluginId))


class Receiver(c.Structure):
    """clap_preset_discovery_metadata_receiver."""

    _fields_ = (
        ("receiver_data", c.c_void_p),
        ("on_error", _Error),
        ("begin_preset", _Begin),
        ("add_plugin_id", _ForPlugin),
        ("set_soundpack_id", _Texts),
        ("set_flags", _Flags),
        ("add_creator", _Texts),
        ("set_description", _Texts),
        ("set_timestamps", _Times),
        ("add_feature", _Texts),
        ("add_extra_info", _TwoTexts),
    )


class FileType(c.Structure):
    """clap_preset_discovery_filetype."""

    _fields_ = (("name", _Text), ("description", _Text), ("file_extension", _Text))


class Location(c.Structure):
    """clap_preset_discovery_location."""

    _fields_ = (("flags", c.c_uint32), ("name", _Text), ("kind", c.c_uint32), ("location", _Text))


class ProviderDescriptor(c.Structure):
    """clap_preset_discovery_provider_descriptor."""

    _fields_ = (("clap_version", abi.Version), ("id", _Text), ("name", _Text), ("vendor", _Text))


class Provider(c.Structure):
    """clap_preset_discovery_provider."""

    _fields_ = (
        ("desc", c.POINTER(ProviderDescriptor)),
        ("provider_data", c.c_void_p),
        ("init", c.CFUNCTYPE(c.c_bool, _Self)),
        ("destroy", c.CFUNCTYPE(None, _Self)),
        ("get_metadata", c.CFUNCTYPE(c.c_bool, _Self, c.c_uint32, _Text, c.POINTER(Receiver))),
        ("get_extension", _Get),
    )


class Indexer(c.Structure):
    """clap_preset_discovery_indexer."""

    _fields_ = (
        ("clap_version", abi.Version),
        ("name", _Text),
        ("vendor", _Text),
        ("url", _Text),
        ("version", _Text),
        ("indexer_data", c.c_void_p),
        ("declare_filetype", _Declare),
        ("declare_location", _Declare),
        ("declare_soundpack", _Declare),
        ("get_extension", _Get),
    )


class Factory(c.Structure):
    """clap_preset_discovery_factory."""

    _fields_ = (
        ("count", c.CFUNCTYPE(c.c_uint32, _Self)),
        ("get_descriptor", c.CFUNCTYPE(c.POINTER(ProviderDescriptor), _Self, c.c_uint32)),
        ("create", c.CFUNCTYPE(c.POINTER(Provider), _Self, c.POINTER(Indexer), _Text)),
    )


class PresetLoad(c.Structure):
    """clap_plugin_preset_load."""

    _fields_ = (("from_location", c.CFUNCTYPE(c.c_bool, abi.PluginP, c.c_uint32, _Text, _Text)),)


@dataclass(slots=True)
class Preset:
    """One preset, and where it is: what a plugin is told to take it on."""

    name: str
    kind: int
    location: bytes | None
    key: bytes | None
    plugins: tuple[str, ...] = ()  # ids of those that it is for; empty: of every one in the file


def presets_of(library: Library, plugin_id: str) -> list[Preset]:
    """Return the presets that a file knows of for one of its plugins, each name once."""
    found: dict[str, Preset] = {}
    for preset in _all(library):
        if len(found) < MOST and (not preset.plugins or plugin_id in preset.plugins):
            found.setdefault(preset.name, preset)
    return list(found.values())


def _all(library: Library) -> Iterator[Preset]:
    factory = next((at for at in map(library.other_factory, FACTORIES) if at), None)
    if factory is None:
        return
    table = c.cast(factory, c.POINTER(Factory)).contents
    for index in range(min(table.count(factory), 64)):
        descriptor = table.get_descriptor(factory, index)
        if descriptor and descriptor.contents.id:
            yield from _of_provider(table, factory, descriptor.contents.id)


def _of_provider(table: Factory, factory: int, provider_id: bytes) -> list[Preset]:
    endings: list[str] = []
    locations: list[tuple[int, bytes | None]] = []

    def declare_filetype(_indexer: int, told: int) -> bool:
        endings.append((c.cast(told, c.POINTER(FileType)).contents.file_extension or b"").decode(errors="replace"))
        return True

    def declare_location(_indexer: int, told: int) -> bool:
        place = c.cast(told, c.POINTER(Location)).contents
        locations.append((place.kind, place.location))
        return True

    version = abi.Version(1, 1, 1)
    calls = (_Declare(declare_filetype), _Declare(declare_location), _Declare(lambda *_: True), _Get(lambda *_: None))
    indexer = Indexer(version, b"Algoritmo", b"Algoritmo", b"", __version__.encode(), None, *calls)
    provider = table.create(factory, c.byref(indexer), provider_id)
    if not provider:
        return []
    found: list[Preset] = []
    try:
        if provider.contents.init(provider):
            for kind, location in locations:
                for place in _places(kind, location, endings):
                    found += _in(provider, kind, place)
    finally:
        provider.contents.destroy(provider)
    return found


def _places(kind: int, location: bytes | None, endings: list[str]) -> Iterator[bytes | None]:
    """Yield what may hold presets: the plugin itself, a file, or the files of a folder whose names end as they should."""
    if kind != IN_FILE or location is None:
        yield None
        return
    path = Path(os.fsdecode(location))
    if not path.is_dir():
        yield location
        return
    wanted = [f".{ending}".casefold() for ending in endings if ending]
    for count, file in enumerate(sorted(path.rglob("*"))):
        if count >= MOST_FILES:
            return
        if file.is_file() and (not wanted or file.suffix.casefold() in wanted):
            yield os.fsencode(file)


def _in(provider: Any, kind: int, place: bytes | None) -> list[Preset]:
    """Return the presets in one place."""
    found: list[Preset] = []

    def begin(_receiver: int, name: bytes | None, key: bytes | None) -> bool:
        said = (name or b"").decode(errors="replace") or Path(os.fsdecode(place or b"?")).stem
        found.append(Preset(said, kind, place, key))
        return len(found) < MOST

    def add_plugin(_receiver: int, told: Any) -> None:
        if found and told:
            found[-1].plugins += ((told.contents.id or b"").decode(errors="replace"),)

    text, texts = _Texts(lambda *_: None), _TwoTexts(lambda *_: None)
    ignored = (text, _Flags(lambda *_: None), text, text, _Times(lambda *_: None), text, texts)
    receiver = Receiver(None, _Error(lambda *_: None), _Begin(begin), _ForPlugin(add_plugin), *ignored)
    provider.contents.get_metadata(provider, kind, place, c.byref(receiver))
    return found
