"""Shares what the tests of the feed share."""

from tests.feed.conftest import card, chance, link, live, registry, schema

__all__ = ["card", "chance", "link", "live", "registry", "schema"]
