"""MIDI messages of all kinds, for tests that try many."""

from __future__ import annotations

from typing import Any

import mido
from hypothesis import strategies as st

SEVEN = st.integers(0, 127)
CHANNEL = st.integers(0, 15)


def _of(kind: str, **fields: Any) -> st.SearchStrategy[mido.Message]:
    return st.builds(lambda **values: mido.Message(kind, **values), **fields)


CHANNEL_MESSAGES = st.one_of(
    _of("note_on", channel=CHANNEL, note=SEVEN, velocity=SEVEN),
    _of("note_off", channel=CHANNEL, note=SEVEN, velocity=SEVEN),
    _of("polytouch", channel=CHANNEL, note=SEVEN, value=SEVEN),
    _of("control_change", channel=CHANNEL, control=SEVEN, value=SEVEN),
    _of("program_change", channel=CHANNEL, program=SEVEN),
    _of("aftertouch", channel=CHANNEL, value=SEVEN),
    _of("pitchwheel", channel=CHANNEL, pitch=st.integers(-8192, 8191)),
)
MESSAGES = st.one_of(
    CHANNEL_MESSAGES,
    _of("sysex", data=st.lists(SEVEN, max_size=5)),
    _of("songpos", pos=st.integers(0, 16383)),
    _of("song_select", song=SEVEN),
    *(_of(kind) for kind in ("tune_request", "clock", "start", "continue", "stop", "active_sensing", "reset")),
)
