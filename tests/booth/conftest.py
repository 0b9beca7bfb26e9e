"""The database server, as the tests of the store have it."""

from tests.store.conftest import server as server
