"""Notes to come: order, and what an ALL_OFF takes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.audio.schedule import Event, Schedule, is_late
from engine.messages import ALL_OFF, CLICK, NOTE_OFF, NOTE_ON, PLAYER

EVENTS = st.lists(
    st.builds(
        lambda frame, kind, track, pitch: Event(frame, 0, kind, track, pitch, 100, 0.0),
        st.integers(0, 300),
        st.sampled_from([NOTE_ON, NOTE_OFF, CLICK]),
        st.integers(0, 2),
        st.integers(60, 63),
    ),
    max_size=40,
)


def on(frame: int, track: int = 0, kind: int = NOTE_ON) -> Event:
    return Event(frame, 0, kind, track, 60, 100, 0.0)


@given(EVENTS)
def test_events_come_out_in_order_of_frame_then_of_arrival(events: list[Event]) -> None:
    schedule = Schedule()
    for event in events:
        schedule.put(event)
    found = [event for end in range(0, 384, 64) for event in schedule.due(end)]
    assert found == sorted(events, key=lambda e: e.frame)
    assert len(schedule) == 0
    assert schedule.next_frame is None


@given(EVENTS, EVENTS, st.integers(0, 300), st.sampled_from([0, 1, 2, PLAYER]))
def test_all_off_takes_back_what_came_before_and_is_due_after(
    before: list[Event], after: list[Event], frame: int, track: int
) -> None:
    schedule = Schedule()
    off = on(frame, track, ALL_OFF)
    for event in [*before, off, *after]:
        schedule.put(event)

    def stays(event: Event) -> bool:
        return event.frame < frame or event.kind == CLICK or track not in (PLAYER, event.track)

    assert schedule.due(1000) == sorted([*filter(stays, before), off, *after], key=lambda e: e.frame)


def test_only_a_beginning_can_be_too_late() -> None:
    assert is_late(on(63), 64)
    assert not is_late(on(64), 64)
    assert is_late(on(0, kind=CLICK), 64)
    assert not is_late(on(0, kind=NOTE_OFF), 64)
    assert not is_late(on(0, kind=ALL_OFF), 64)
