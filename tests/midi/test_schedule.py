"""Notes to come: order, what replaces them, and what takes them back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.messages import ALL_OFF, NOTE_OFF, NOTE_ON, PLAYER, WITHDRAWN
from engine.midi.schedule import Event, Schedule, is_late

EVENTS = st.lists(
    st.builds(
        lambda frame, step, kind, track, pitch: Event(frame, step, kind, track, pitch, 100, 0.0),
        st.integers(0, 300),
        st.integers(-1, 2),  # -1: of no timestep
        st.sampled_from([NOTE_ON, NOTE_OFF]),
        st.integers(0, 2),
        st.integers(60, 63),
    ),
    max_size=40,
)


def on(frame: int, track: int = 0, kind: int = NOTE_ON) -> Event:
    return Event(frame, 0, kind, track, 60, 100, 0.0)


def that_hold(events: list[Event]) -> list[Event]:
    """Without those that came again later for the same timestep."""
    last = {event.identity: place for place, event in enumerate(events)}
    return [e for place, e in enumerate(events) if e.step < 0 or e.kind == ALL_OFF or last[e.identity] == place]


@given(EVENTS)
def test_events_come_out_in_order_of_frame_then_of_arrival_and_what_comes_again_replaces(events: list[Event]) -> None:
    schedule = Schedule()
    for event in events:
        schedule.put(event)
    found = [event for end in range(0, 384, 64) for event in schedule.due(end)]
    assert found == sorted(that_hold(events), key=lambda e: e.frame)
    assert len(schedule) == 0
    assert schedule.next_frame is None


@given(EVENTS, EVENTS, st.integers(0, 300))
def test_what_is_withdrawn_does_not_sound_unless_it_comes_again(before: list[Event], after: list[Event], now: int) -> None:
    schedule = Schedule()
    for event in before:
        schedule.put(event)
    sounded = schedule.due(now)
    for event in before:
        if event.step >= 0:
            schedule.put(event._replace(kind=WITHDRAWN, velocity=event.kind))
    for event in after:
        schedule.put(event)
    stay = [e for e in before if e.step < 0 and e not in sounded]
    assert schedule.due(1000) == sorted(stay + that_hold(after), key=lambda e: e.frame)
    assert not schedule._valid  # nothing is kept of what is over


@given(EVENTS, EVENTS, st.integers(0, 300), st.sampled_from([0, 1, 2, PLAYER]))
def test_all_off_takes_back_what_came_before_and_is_due_after(
    before: list[Event], after: list[Event], frame: int, track: int
) -> None:
    schedule = Schedule()
    off = on(frame, track, ALL_OFF)
    for event in [*before, off, *after]:
        schedule.put(event)

    def stays(event: Event) -> bool:
        return event.frame < frame or track not in (PLAYER, event.track)

    last = {event.identity: place for place, event in enumerate(before)}  # what was replaced stays so, whatever became of that
    stay = [e for place, e in enumerate(before) if stays(e) and (e.step < 0 or last[e.identity] == place)]
    assert schedule.due(1000) == sorted(that_hold([*stay, off, *after]), key=lambda e: e.frame)


def test_only_a_beginning_can_be_too_late() -> None:
    assert is_late(on(63), 64)
    assert not is_late(on(64), 64)
    assert not is_late(on(0, kind=NOTE_OFF), 64)
    assert not is_late(on(0, kind=ALL_OFF), 64)
