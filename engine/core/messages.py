"""The records that cross a process boundary: fixed-size, so that a ring can carry them without allocation.

Runs on: every process. Which ring carries which, and who writes it, stands in the table CHANNELS (core/link.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.core.contract import Card
from engine.core.roles import PROCESSES

BLOCK = 64  # frames of one internal block, whatever the device's block is
OUTPUTS = 2  # stereo

# kinds of EVENT
NOTE_OFF, NOTE_ON, ALL_OFF, CONTROL, PITCH_BEND, WITHDRAWN, PRESSURE, CHORD, NEXT_CHORD, PLAYED_CHORD, GIVEN_CHORD = range(11)
CHORD_KINDS = (CHORD, NEXT_CHORD, PLAYED_CHORD)
PLAYER = 255  # `track` of the player's own notes; the network's tracks count from 0

EVENT = np.dtype(
    [
        ("frame", "<i8"),  # sample at which it sounds; in `notes` the sample at which it is to sound
        ("step", "<i8"),  # timestep a network's note belongs to; -1, -2 ... for the player's: which keyboard or finger
        ("kind", "u1"),
        ("track", "u1"),
        # MIDI pitch; for CHORD (that is heard), NEXT_CHORD (expected a beat later), PLAYED_CHORD (of the band's own notes) and
        # GIVEN_CHORD (that the player's hand of chords holds) the root, 0..11; for CONTROL
        ("pitch", "u1"),  # the controller number; for PRESSURE 255 where it is not of one key
        # 1..127; for CONTROL and PRESSURE the value 0..127; for PITCH_BEND the semitones that 1 means;
        # for WITHDRAWN the kind of what is not to sound after all; for chords 1 + the index of the quality, 0: none is known
        ("velocity", "u1"),
        ("bend", "<f4"),  # PITCH_BEND only: -1..1, of the notes of the same `step`
    ]
)

CLOCK = np.dtype(
    [
        ("frame", "<i8"),  # first frame of the device block that was begun last
        ("time_ns", "<i8"),  # host time (time.perf_counter_ns) at which it was begun, filtered
        ("ns_per_frame", "<f8"),  # filtered
        ("rate_hz", "<f8"),  # nominal
        ("device_block", "<i4"),  # frames of one device block
        ("latency_frames", "<i4"),  # from rendering to the loudspeaker, as the device reports it
        ("dsp_mean", "<f4"),  # share of the block's time spent rendering, over the last second
        ("dsp_max", "<f4"),  # since the start
        ("dsp_own_max", "<f4"),  # ... of the processor's time alone: what the block took by itself
        ("xruns", "<i8"),
        ("xruns_own", "<i8"),  # blocks that by themselves took longer than they last
        ("notes_in", "<i8"),
        ("midi_ignored", "<i8"),  # bytes or messages that were no MIDI
        ("notes_late", "<i8"),  # network's notes that came after their block had been rendered
        ("peak", "<f4"),  # of the last block, 1.0 = full scale
        ("device_lost", "u1"),  # 1: the device is gone, the null clock keeps time
    ]
)

TIMELINE = np.dtype(
    [
        ("frame", "<f8"),  # from this frame on, until that of the next record ...
        ("beat", "<f8"),  # ... where it is this beat (a quarter note; they never go back) ...
        ("tempo_bpm", "<f8"),  # ... it goes on at this tempo, quarters per minute in every metre
        ("rate_hz", "<f8"),
        ("playing", "u1"),  # 0: it stands still
        ("began", "<f8"),  # beat it was set going at; what lies before it is the count-in
        ("left_out", "<f8"),  # beats that jumps left out while it played
        ("bar_beat", "<f8"),  # beat of a bar line ...
        ("bar", "<i4"),  # ... and the number of the bar that begins there
        ("numerator", "<i4"),
        ("denominator", "<i4"),
        ("locked", "u1"),  # 0: its source has lost what it follows, and guesses
        ("groups", "<u4"),  # Metre.code
    ]
)

HOSTS_WANTED = np.dtype([("hosts", "<u4")])  # one bit for each process that is to host plugins

PLAYER_BEAT = np.dtype(
    [
        ("frame", "<f8"),  # at this frame, as he heard the band there ...
        ("beat", "<f8"),  # ... it is this beat of the player's, counted from one of them ...
        ("frames_per_beat", "<f8"),  # ... and so long one lasts; 0: none is found
        ("bar_beat", "<f8"),  # a beat of his that begins a bar
        ("confidence", "<f4"),  # 0..1, of tempo and beat
        ("bar_confidence", "<f4"),  # 0..1, of the bar line
        ("heard", "<f8"),  # frame of the note that was heard last
        ("ready", "u1"),  # 1: the band can fall in with his next bar line
    ]
)

OUTSIDE = np.dtype(
    [
        ("time_ns", "<i8"),  # at this host time (time.perf_counter_ns) ...
        ("beat", "<f8"),  # ... it was this beat of theirs, a quarter note; their bars begin where it is whole bars
        ("tempo_bpm", "<f8"),  # quarters per minute
        ("peers", "<i4"),  # others that take part
        ("changes", "<u4"),  # so often it was started and stopped, begun with a start: where it is odd, the others play
        ("jitter_ms", "<f4"),  # by how much what they say is early or late, a standard deviation
        ("bars", "u1"),  # 1: their bars are known
    ]
)

NETWORK_STATS = np.dtype(
    [
        ("steps", "<i8"),
        ("late_steps", "<i8"),
        ("step_p50_ms", "<f4"),
        ("step_p99_ms", "<f4"),
        ("step_max_ms", "<f4"),
        ("again_steps", "<i8"),  # recomputed at the input deadline: something was heard or turned just before it
        ("kept_steps", "<i8"),  # those of them whose new choice came too late: the one before sounded, in time
        ("again_p50_ms", "<f4"),
        ("again_p99_ms", "<f4"),
        ("again_max_ms", "<f4"),
        ("lead_ms", "<f4"),
        ("mode", "<i4"),  # index in jam.modes.MODES
        ("listening", "u1"),  # 1 while the mode lets it listen only
        ("provider", "S32"),
        ("restored", "u1"),  # 1: this process took over the state of one that died
    ]
)

FEED_STATS = np.dtype(
    [
        ("sent", "<i8"),  # datagrams
        ("dropped", "<i8"),  # datagrams the system would not take
        ("rate_hz", "<f4"),  # steps published per second, over the last seconds
        ("step_us", "<f4"),  # time to encode and send one step, median of the last 256
        ("control_received", "<i8"),
        ("control_ignored", "<i8"),  # malformed or unknown
        ("recording", "u1"),  # 1: on, 0: off, 2: stopped by an error
        ("recorded_frames", "<i8"),
        ("notes_in", "<i8"),
    ]
)

KEY = np.dtype(
    [
        ("time_ns", "<i8"),  # host time (time.perf_counter_ns) of arrival
        ("visitor", "<u4"),
        ("size", "u1"),  # bytes used; 0: the visitor is gone (visitor 0: everybody), and all he held
        ("data", "u1", (3,)),  # one short MIDI message
    ]
)

# One short MIDI message that sounds at a frame; they come in order of their frames, but for the ends of notes.
DUE = np.dtype([("frame", "<i8"), ("size", "u1"), ("data", "u1", (3,))])

CHART_BYTES = 49152  # of a chart as text, with its repeats written out
CONFIGURED, TYPED, KEPT, NOTHING_TO_KEEP = range(4)  # where the chart comes from; the last: it stays, for nothing came round
CHART = np.dtype(
    [
        ("text", f"S{CHART_BYTES}"),  # empty: there is none
        ("beats", "u1"),  # of a bar
        ("origin", "u1"),
        ("loop_beats", "<i4"),  # length of what the player repeats, where the chart is of another; else 0
        ("since", "<i8"),  # timestep before which everything is forgotten
    ]
)
# Which tracks (a bit each) fall silent as soon as the player begins a note, as of so many records of `events` and of this
# version of the parameters.
YIELDS = np.dtype([("tracks", "<u4"), ("events", "<i8"), ("version", "<i8")])
LEARN = np.dtype([("id", "S128")])  # parameter that the control moved next is to move; empty: none
# What was learned: the parameter, the control as the file of controllers has it, and what that moved before.
LEARNED = np.dtype([("id", "S128"), ("port", "S128"), ("channel", "u1"), ("control", "S16"), ("before", "S256")])
# A control that was moved: the parameter, the end of its port's name, the shares of the range at which it and the parameter
# stand, and whether it is not followed, for it has not come to where the parameter is.
TAKEOVER = np.dtype([("id", "S128"), ("port", "S64"), ("at", "<f4"), ("to", "<f4"), ("waits", "u1")])
# What a device with LEDs or motor faders was shown: status byte, number, value (a wheel's of 14 bits).
SHOWN = np.dtype([("time_ns", "<i8"), ("status", "u1"), ("number", "u1"), ("value", "<i4")])
RACK = np.dtype([("text", "S16384")])  # which plugins and effects stand where, and how it is with each, as JSON
RACK_ORDER = np.dtype([("text", "S1024")])  # as JSON: what to `do` (add, remove, move) and `where`
# The chords as they were told last, each as root and 1 + index of the quality: heard, expected, played.
CHORDS = np.dtype([("step", "<i8"), ("heard", "u1", (2,)), ("expected", "u1", (2,)), ("played", "u1", (2,))])

# Signs of life and what is made of them.
ALIVE = np.dtype([("time_ns", "<i8")])  # once more round the loop of a process
CARE = np.dtype([("states", "u1", (len(PROCESSES),))])  # of each process: index in care.STATES
SPARED = np.dtype([("what", "u1"), ("why", "S120")])  # what of care.SPARED is done without, a bit each, and for what reason
DEVICES = np.dtype([("text", "S2048")])  # JSON: the audio device, and the MIDI ports that are open and that are waited for
# What a process took in from outside (core/tape.py): 16 bytes each.
TAKEN = np.dtype(
    [
        ("kind", "u1"),
        ("size", "u1"),
        ("place", "<u2"),
        ("count", "<u4"),
        ("value", "<f8"),  # or eight bytes of a text
    ]
)
SCENE_BYTES = 131_072  # of a scene as JSON, or of a set's names
# A scene to be played: it is made ready, then told to begin at a beat of the timeline; or it is not to be after all.
MAKE_READY, BEGIN, DROP = range(3)
SWITCH = np.dtype(
    [
        ("number", "<i8"),  # counts up from 1
        ("what", "u1"),  # MAKE_READY, BEGIN or DROP
        ("beat", "<f8"),  # quarter at which it begins; while the beat stands still at once
        ("network", "<i4"),  # number of the network that is to play
        ("text", f"S{SCENE_BYTES}"),  # JSON: patches by track, values by id, chart (null: as it is)
    ]
)
# Which networks of several are loaded, one bit each, which of them plays, from which frame on, and the
# place in its ring of steps of the first that it plays.
PLAYING = np.dtype([("loaded", "<u4"), ("number", "u1"), ("frame", "<f8"), ("first", "<i8")])
# Another network of the same kind, to take the place of the one that plays; and what became of it: why it cannot, or its file.
SUCCESSOR_BYTES, SUCCEEDED_BYTES = 1024, 1024
SUCCESSOR = np.dtype([("serial", "<i8"), ("path", f"S{SUCCESSOR_BYTES}")])
REFUSED, SUCCEEDS = 1, 2
SUCCEEDED = np.dtype([("serial", "<i8"), ("state", "u1"), ("frame", "<i8"), ("text", f"S{SUCCEEDED_BYTES}")])
READY, PLAYS = 1, 2  # what became of it
SWITCHED = np.dtype([("number", "<i8"), ("state", "u1"), ("frame", "<i8"), ("beat", "<f8")])
SCENES = np.dtype(
    [
        ("now", "<i4"),  # number of the scene in force; 0: none
        ("next", "<i4"),  # of the one that is to come; 0: none
        ("beat", "<f8"),  # at which it begins; infinity: it is being made ready
        ("begun", "<f8"),  # beat at which the one in force began
        ("set_of", "<i8"),  # counts up whenever the text is another
        ("text", f"S{SCENE_BYTES}"),  # JSON: the set as people are told of it, control/scenes.py
    ]
)

INFO, WARNING, ERROR = range(3)
NOTICE = np.dtype([("time_ns", "<i8"), ("level", "u1"), ("text", "S495")])


def wave_dtype() -> np.dtype:
    """One internal block as it went to the device: first frame, float32 samples (BLOCK, OUTPUTS)."""
    return np.dtype([("frame", "<i8"), ("samples", "<f4", (BLOCK, OUTPUTS))])


def stems_dtype(card: Card) -> np.dtype:
    """The buses of one block: where in `wave` it lies, float32 samples (BLOCK, OUTPUTS of each of `stem_names`)."""
    return np.dtype([("frame", "<i8"), ("samples", "<f4", (BLOCK, OUTPUTS * len(stem_names(card))))])


# By how many frames plugins make tracks of the band, and the player's own sound, later than their notes, from a frame on.
LATENESS = np.dtype([("frame", "<i8"), ("band", "<i4"), ("player", "<i4")])


def stem_names(card: Card) -> list[str]:
    """Return the names of the mixer's buses, in their order."""
    return [*(track.name for track in card.tracks), "player", "metronome"]


RETURNS = ("send1", "send2")  # what comes back of the sends, in the stems by itself
# The returns of one block; there is none while no send has an effect.
RETURNED = np.dtype([("frame", "<i8"), ("samples", "<f4", (BLOCK, OUTPUTS * len(RETURNS)))])

MOST_SIGNALS = 512  # numbers of the smooth tiers, but for the trails of notes
PITCHES = 128  # of MIDI
WANTED = np.dtype([("levels", "u1")])  # whether somebody wants the sound of each bus measured
# Who has asked for the smooth tiers, as JSON: {"shown": pages or OSCQuery want them, "levels": ... with those of the sound,
# "receivers": [osc.targets]}
RECEIVERS = np.dtype([("text", "S65536")])
WORDS = np.dtype([("text", "S4096")])  # the music in words, as JSON: what each address is sent with
SIGNALS_STATS = np.dtype(
    [
        ("ticks", "<i8"),  # moments that something was sent at
        ("missed", "<i8"),  # deadlines that were passed over
        ("late_ms", "<f4"),  # how late the last ticks were, the 99th of a hundred
        ("tick_us", "<f4"),  # time that a tick takes, median of the last
        ("sent", "<i8"),  # datagrams
        ("dropped", "<i8"),
    ]
)


def signals_dtype(card: Card) -> np.dtype:
    """The numbers of the smooth tiers at a moment; of `values` and `raw` as many are filled as there are signals."""
    return np.dtype(
        [
            ("frame", "<f8"),  # that is heard at the moment
            ("beat", "<f8"),  # ... and the beat that it is then, a quarter note
            ("values", "<f4", (MOST_SIGNALS,)),  # 0..1
            ("raw", "<f4", (MOST_SIGNALS,)),
            ("trails", "<f4", (card.slots + PITCHES,)),  # of each slot's notes, then of each of the player's
        ]
    )


SLOWEST_BPM, FASTEST_BPM = 20.0, 400.0  # tempi that the transport can do
FUTURES, FUTURE_STEPS = 8, 8  # at most so many at a time, each so many timesteps long


def futures_dtype(card: Card) -> np.dtype:
    """What might follow a timestep; of `notes` and `log_prob` the first `count` futures are filled."""
    return np.dtype(
        [
            ("step", "<i8"),  # number of the timestep that they follow
            ("frame", "<i8"),  # sample from which on this may be told
            ("count", "u1"),
            ("log_prob", "<f4", (FUTURES,)),  # nats of each future as a whole
            ("notes", "u1", (FUTURES, FUTURE_STEPS, card.slots)),  # 0 silent, 1 goes on, 2 begins
        ]
    )


# flags of a step record
LATE, LISTENING, COUNT_IN = 1, 2, 4


def step_dtype(card: Card) -> np.dtype:
    """One timestep as the network chose it; activation fields are named by their output in the card."""
    fields: list[Any] = [
        ("step", "<i8"),  # number of the timestep, from beat 0
        ("frame", "<i8"),  # sample at which it sounds
        ("beat", "<f8"),  # quarters, counted from bar 1
        ("tempo_bpm", "<f4"),  # quarters per minute
        ("numerator", "u1"),
        ("denominator", "u1"),
        ("groups", "<u4"),  # Metre.code
        ("flags", "<u4"),
        ("mode", "<i4"),
        ("step_ms", "<f4"),
        ("log_prob", "<f4"),  # nats
        ("log_prob_tracks", "<f4", (len(card.tracks),)),
        ("x", "u1", (card.slots, 2)),  # what the network was told of the step before
        ("clamped", "u1", (card.slots,)),  # 1: clamped, by the mode and what the player plays
        ("notes", "u1", (card.slots, 2)),  # play, hold
        ("probability", "<f4", (card.slots, 2)),
    ]
    seen = {state.name + "_next": state.shape for state in card.states}
    seen |= {a.output: a.shape for a in card.activations}
    fields += [(name, "<f4", shape) for name, shape in seen.items()]
    return np.dtype(fields)


def harmony_dtype(card: Card) -> np.dtype:
    """What a harmony goes on from: the chord it heard last and its states."""
    fields: list[Any] = [("x", "<f4", (card.slots, len(card.channels)))]
    return np.dtype([*fields, *((state.name, "<f4", state.shape) for state in card.states)])


def noticed(text: str) -> bytes:
    """Return a line as a notice holds it: of one too long the middle is left out, for its end says what was done about it."""
    encoded, room = text.encode(), NOTICE["text"].itemsize
    if len(encoded) <= room:
        return encoded
    gap = " ... "
    head = (room - len(gap)) // 2
    tail = room - len(gap) - head
    return b"".join(part.decode(errors="ignore").encode() for part in (encoded[:head], gap.encode(), encoded[-tail:]))
