"""CLAP's binary interface, version 1.1, as ctypes: the structures that plugin and host hand each other.

Runs on: host process. Source: the headers of the CLAP project (github.com/free-audio/clap, MIT); names are theirs.
"""

from __future__ import annotations

import ctypes as c
from typing import Any

FACTORY = b"clap.plugin-factory"
INVALID_ID = 0xFFFFFFFF
FIXED = 1 << 31  # of a beat or a second in song positions
NAME_SIZE, PATH_SIZE = 256, 1024

NOTE_ON, NOTE_OFF, NOTE_CHOKE, NOTE_END, NOTE_EXPRESSION, PARAM_VALUE = range(6)
TRANSPORT, MIDI = 9, 10
HAS_TEMPO, HAS_BEATS, HAS_SECONDS, HAS_SIGNATURE, IS_PLAYING = (1 << n for n in range(5))
PROCESS_ERROR = 0
DIALECT_CLAP, DIALECT_MIDI = 1, 2
PARAM_STEPPED, PARAM_HIDDEN, PARAM_READONLY = 1, 4, 8
PORT_MAIN = 1


class Version(c.Structure):
    """clap_version."""

    _fields_ = (("major", c.c_uint32), ("minor", c.c_uint32), ("revision", c.c_uint32))


class Descriptor(c.Structure):
    """clap_plugin_descriptor."""

    _fields_ = (
        ("clap_version", Version),
        ("id", c.c_char_p),
        ("name", c.c_char_p),
        ("vendor", c.c_char_p),
        ("url", c.c_char_p),
        ("manual_url", c.c_char_p),
        ("support_url", c.c_char_p),
        ("version", c.c_char_p),
        ("description", c.c_char_p),
        ("features", c.POINTER(c.c_char_p)),
    )


class AudioBuffer(c.Structure):
    """clap_audio_buffer."""

    _fields_ = (
        ("data32", c.POINTER(c.c_void_p)),
        ("data64", c.c_void_p),
        ("channel_count", c.c_uint32),
        ("latency", c.c_uint32),
        ("constant_mask", c.c_uint64),
    )


class Header(c.Structure):
    """clap_event_header."""

    _fields_ = (
        ("size", c.c_uint32),
        ("time", c.c_uint32),
        ("space_id", c.c_uint16),
        ("type", c.c_uint16),
        ("flags", c.c_uint32),
    )


class NoteEvent(c.Structure):
    """clap_event_note."""

    _fields_ = (
        ("header", Header),
        ("note_id", c.c_int32),
        ("port_index", c.c_int16),
        ("channel", c.c_int16),
        ("key", c.c_int16),
        ("velocity", c.c_double),
    )


class ParamEvent(c.Structure):
    """clap_event_param_value."""

    _fields_ = (
        ("header", Header),
        ("param_id", c.c_uint32),
        ("cookie", c.c_void_p),
        ("note_id", c.c_int32),
        ("port_index", c.c_int16),
        ("channel", c.c_int16),
        ("key", c.c_int16),
        ("value", c.c_double),
    )


class MidiEvent(c.Structure):
    """clap_event_midi."""

    _fields_ = (("header", Header), ("port_index", c.c_uint16), ("data", c.c_uint8 * 3))


class TransportEvent(c.Structure):
    """clap_event_transport."""

    _fields_ = (
        ("header", Header),
        ("flags", c.c_uint32),
        ("song_pos_beats", c.c_int64),
        ("song_pos_seconds", c.c_int64),
        ("tempo", c.c_double),
        ("tempo_inc", c.c_double),
        ("loop_start_beats", c.c_int64),
        ("loop_end_beats", c.c_int64),
        ("loop_start_seconds", c.c_int64),
        ("loop_end_seconds", c.c_int64),
        ("bar_start", c.c_int64),
        ("bar_number", c.c_int32),
        ("tsig_num", c.c_uint16),
        ("tsig_denom", c.c_uint16),
    )


EventsSize = c.CFUNCTYPE(c.c_uint32, c.c_void_p)
EventsGet = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_uint32)
EventsPush = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.POINTER(Header))


class InputEvents(c.Structure):
    """clap_input_events."""

    _fields_ = (("ctx", c.c_void_p), ("size", EventsSize), ("get", EventsGet))


class OutputEvents(c.Structure):
    """clap_output_events."""

    _fields_ = (("ctx", c.c_void_p), ("try_push", EventsPush))


class Process(c.Structure):
    """clap_process."""

    _fields_ = (
        ("steady_time", c.c_int64),
        ("frames_count", c.c_uint32),
        ("transport", c.POINTER(TransportEvent)),
        ("audio_inputs", c.POINTER(AudioBuffer)),
        ("audio_outputs", c.POINTER(AudioBuffer)),
        ("audio_inputs_count", c.c_uint32),
        ("audio_outputs_count", c.c_uint32),
        ("in_events", c.POINTER(InputEvents)),
        ("out_events", c.POINTER(OutputEvents)),
    )


class Plugin(c.Structure):
    """clap_plugin; every function is called with its own address."""


PluginP = c.POINTER(Plugin)


def _of_plugin(result: Any, *arguments: Any) -> Any:
    return c.CFUNCTYPE(result, PluginP, *arguments)


Plugin._fields_ = (
    ("desc", c.POINTER(Descriptor)),
    ("plugin_data", c.c_void_p),
    ("init", _of_plugin(c.c_bool)),
    ("destroy", _of_plugin(None)),
    ("activate", _of_plugin(c.c_bool, c.c_double, c.c_uint32, c.c_uint32)),
    ("deactivate", _of_plugin(None)),
    ("start_processing", _of_plugin(c.c_bool)),
    ("stop_processing", _of_plugin(None)),
    ("reset", _of_plugin(None)),
    ("process", _of_plugin(c.c_int32, c.POINTER(Process))),
    ("get_extension", _of_plugin(c.c_void_p, c.c_char_p)),
    ("on_main_thread", _of_plugin(None)),
)

HostGet = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_char_p)
HostCall = c.CFUNCTYPE(None, c.c_void_p)
HostFlags = c.CFUNCTYPE(None, c.c_void_p, c.c_uint32)
HostAsk = c.CFUNCTYPE(c.c_bool, c.c_void_p)
HostAskFlags = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_uint32)
HostCount = c.CFUNCTYPE(c.c_uint32, c.c_void_p)
HostClear = c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_uint32)
HostTimer = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_uint32, c.POINTER(c.c_uint32))
HostSize = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_uint32, c.c_uint32)
HostFd = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_int, c.c_uint32)
HostNoFd = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_int)
HostClosed = c.CFUNCTYPE(None, c.c_void_p, c.c_bool)
HostPresetError = c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_char_p, c.c_char_p, c.c_int32, c.c_char_p)
HostPresetLoaded = c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_char_p, c.c_char_p)
HostLog = c.CFUNCTYPE(None, c.c_void_p, c.c_int32, c.c_char_p)


class Host(c.Structure):
    """clap_host."""

    _fields_ = (
        ("clap_version", Version),
        ("host_data", c.c_void_p),
        ("name", c.c_char_p),
        ("vendor", c.c_char_p),
        ("url", c.c_char_p),
        ("version", c.c_char_p),
        ("get_extension", HostGet),
        ("request_restart", HostCall),
        ("request_process", HostCall),
        ("request_callback", HostCall),
    )


class Factory(c.Structure):
    """clap_plugin_factory."""


FactoryP = c.POINTER(Factory)
Factory._fields_ = (
    ("get_plugin_count", c.CFUNCTYPE(c.c_uint32, FactoryP)),
    ("get_plugin_descriptor", c.CFUNCTYPE(c.POINTER(Descriptor), FactoryP, c.c_uint32)),
    ("create_plugin", c.CFUNCTYPE(PluginP, FactoryP, c.POINTER(Host), c.c_char_p)),
)


class Entry(c.Structure):
    """clap_plugin_entry."""

    _fields_ = (
        ("clap_version", Version),
        ("init", c.CFUNCTYPE(c.c_bool, c.c_char_p)),
        ("deinit", c.CFUNCTYPE(None)),
        ("get_factory", c.CFUNCTYPE(c.c_void_p, c.c_char_p)),
    )


class ParamInfo(c.Structure):
    """clap_param_info."""

    _fields_ = (
        ("id", c.c_uint32),
        ("flags", c.c_uint32),
        ("cookie", c.c_void_p),
        ("name", c.c_char * NAME_SIZE),
        ("module", c.c_char * PATH_SIZE),
        ("min_value", c.c_double),
        ("max_value", c.c_double),
        ("default_value", c.c_double),
    )


class Params(c.Structure):
    """clap_plugin_params."""

    _fields_ = (
        ("count", _of_plugin(c.c_uint32)),
        ("get_info", _of_plugin(c.c_bool, c.c_uint32, c.POINTER(ParamInfo))),
        ("get_value", _of_plugin(c.c_bool, c.c_uint32, c.POINTER(c.c_double))),
        ("value_to_text", _of_plugin(c.c_bool, c.c_uint32, c.c_double, c.c_char_p, c.c_uint32)),
        ("text_to_value", _of_plugin(c.c_bool, c.c_uint32, c.c_char_p, c.POINTER(c.c_double))),
        ("flush", _of_plugin(None, c.POINTER(InputEvents), c.POINTER(OutputEvents))),
    )


class AudioPortInfo(c.Structure):
    """clap_audio_port_info."""

    _fields_ = (
        ("id", c.c_uint32),
        ("name", c.c_char * NAME_SIZE),
        ("flags", c.c_uint32),
        ("channel_count", c.c_uint32),
        ("port_type", c.c_char_p),
        ("in_place_pair", c.c_uint32),
    )


class NotePortInfo(c.Structure):
    """clap_note_port_info."""

    _fields_ = (
        ("id", c.c_uint32),
        ("supported_dialects", c.c_uint32),
        ("preferred_dialect", c.c_uint32),
        ("name", c.c_char * NAME_SIZE),
    )


class AudioPorts(c.Structure):
    """clap_plugin_audio_ports."""

    _fields_ = (
        ("count", _of_plugin(c.c_uint32, c.c_bool)),
        ("get", _of_plugin(c.c_bool, c.c_uint32, c.c_bool, c.POINTER(AudioPortInfo))),
    )


class NotePorts(c.Structure):
    """clap_plugin_note_ports."""

    _fields_ = (
        ("count", _of_plugin(c.c_uint32, c.c_bool)),
        ("get", _of_plugin(c.c_bool, c.c_uint32, c.c_bool, c.POINTER(NotePortInfo))),
    )


class Latency(c.Structure):
    """clap_plugin_latency."""

    _fields_ = (("get", _of_plugin(c.c_uint32)),)


StreamCall = c.CFUNCTYPE(c.c_int64, c.c_void_p, c.c_void_p, c.c_uint64)


class Stream(c.Structure):
    """clap_istream and clap_ostream."""

    _fields_ = (("ctx", c.c_void_p), ("call", StreamCall))


class State(c.Structure):
    """clap_plugin_state."""

    _fields_ = (("save", _of_plugin(c.c_bool, c.POINTER(Stream))), ("load", _of_plugin(c.c_bool, c.POINTER(Stream))))


class TimerSupport(c.Structure):
    """clap_plugin_timer_support."""

    _fields_ = (("on_timer", _of_plugin(None, c.c_uint32)),)


class FdSupport(c.Structure):
    """clap_plugin_posix_fd_support."""

    _fields_ = (("on_fd", _of_plugin(None, c.c_int, c.c_uint32)),)


class Window(c.Structure):
    """clap_window."""

    _fields_ = (("api", c.c_char_p), ("handle", c.c_void_p))


class Gui(c.Structure):
    """clap_plugin_gui."""

    _fields_ = (
        ("is_api_supported", _of_plugin(c.c_bool, c.c_char_p, c.c_bool)),
        ("get_preferred_api", _of_plugin(c.c_bool, c.c_void_p, c.c_void_p)),
        ("create", _of_plugin(c.c_bool, c.c_char_p, c.c_bool)),
        ("destroy", _of_plugin(None)),
        ("set_scale", _of_plugin(c.c_bool, c.c_double)),
        ("get_size", _of_plugin(c.c_bool, c.POINTER(c.c_uint32), c.POINTER(c.c_uint32))),
        ("can_resize", _of_plugin(c.c_bool)),
        ("get_resize_hints", _of_plugin(c.c_bool, c.c_void_p)),
        ("adjust_size", _of_plugin(c.c_bool, c.POINTER(c.c_uint32), c.POINTER(c.c_uint32))),
        ("set_size", _of_plugin(c.c_bool, c.c_uint32, c.c_uint32)),
        ("set_parent", _of_plugin(c.c_bool, c.POINTER(Window))),
        ("set_transient", _of_plugin(c.c_bool, c.POINTER(Window))),
        ("suggest_title", _of_plugin(None, c.c_char_p)),
        ("show", _of_plugin(c.c_bool)),
        ("hide", _of_plugin(c.c_bool)),
    )
