import importlib

import pytest

from engine.core.roles import ROLES, Role, role_of


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_main_is_there(role: Role):
    module, _, function = role.main.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert role_of(role.name) is role


def test_names_and_places_in_the_end_are_given_once():
    assert len({role.name for role in ROLES}) == len({role.ends for role in ROLES}) == len(ROLES)


def test_the_sound_goes_first_and_what_is_seen_last():
    assert [role.name for role in sorted(ROLES, key=lambda role: role.nice)] == ["audio", "network", "feed"]
