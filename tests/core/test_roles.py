import importlib

import pytest

from engine.core.roles import ROLES, Role, role_of


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_main_is_there(role: Role):
    module, _, function = role.main.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert role_of(role.name) is role


def test_names_and_places_in_the_end_are_given_once():
    assert len({role.name for role in ROLES}) == len(ROLES)
    with_the_run = [role for role in ROLES if not role.on_demand]
    hosts = {role.ends for role in ROLES if role.on_demand}
    assert len({role.ends for role in with_the_run}) == len(with_the_run)
    assert hosts.isdisjoint(role.ends for role in with_the_run)


def test_the_sound_goes_first_and_what_is_seen_last():
    ordered = [role.name.rstrip("0123456789") for role in sorted(ROLES, key=lambda role: role.nice)]
    heard, seen = ["audio", "clock", "ableton", "prodj", "host", "network"], ["signals", "surface", "feed", "booth"]
    assert list(dict.fromkeys(ordered)) == [*heard, *seen]
