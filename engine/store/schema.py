"""The tables, as SQLAlchemy Core has them: what is in the store, for whoever reads or writes it.

Runs on: booth process, and whoever breeds generations. Times are ms since 1970, of the machine that stores; no clock of a phone
is ever believed. Changing a table takes a migration in `migrations/versions/`; a test holds both together.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Life of a generation: it is bred, is then voted on (one at a time), and stays; or is thrown away whole.
BREEDING, OPEN, CLOSED, DISCARDED = "breeding", "open", "closed", "discarded"
STATES = (BREEDING, OPEN, CLOSED, DISCARDED)

generations = Table(
    "generations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("parent", Integer, ForeignKey("generations.id"), nullable=True),  # that it was bred from
    Column("method", String(32), nullable=False),  # first, conditions, weights, dpo ...
    Column("state", String(16), nullable=False),
    Column("network", String(1024), nullable=False),  # file of the network that played its clips
    Column("sha256", String(64), nullable=False, server_default=""),  # of that file
    Column("seed", BigInteger, nullable=False, server_default="0"),
    Column("conditions", JSON, nullable=False),  # how it was bred
    Column("figures", JSON, nullable=False),  # what the gates measured
    Column("created_ms", BigInteger, nullable=False),
    Column("opened_ms", BigInteger, nullable=True),
    Column("closed_ms", BigInteger, nullable=True),
)

clips = Table(
    "clips",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("generation", Integer, ForeignKey("generations.id"), nullable=False, index=True),
    Column("arm", String(16), nullable=False),  # see clip.ARMS
    Column("name", String(64), nullable=False),  # from word lists
    Column("music", JSON, nullable=False),  # see clip.py
    Column("network", String(1024), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("conditions", JSON, nullable=False),
    Column("figures", JSON, nullable=False),
    Column("hidden", Boolean, nullable=False),  # not played, not voted on
    Column("created_ms", BigInteger, nullable=False),
)

parents = Table(
    "parents",
    metadata,
    Column("clip", Integer, ForeignKey("clips.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("parent", Integer, ForeignKey("clips.id"), nullable=False, index=True),
)

# One question to one visitor: which of two clips, the first of them heard first. `crowd` tells apart who asks from different
# addresses; it is drawn anew each time the booth starts, and no address can be found from it.
ballots = Table(
    "ballots",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("visitor", String(32), nullable=False, index=True),  # a random id of a day, drawn anew when the day is over
    Column("crowd", Integer, nullable=False),
    Column("first", Integer, ForeignKey("clips.id"), nullable=False),
    Column("second", Integer, ForeignKey("clips.id"), nullable=False),
    Column("generation", Integer, ForeignKey("generations.id"), nullable=False, index=True),  # that was open then
    Column("across", Boolean, nullable=False),  # the clips are of two generations, which nobody is told
    Column("room", Integer, nullable=True),  # number of the round that the loudspeaker played; empty: headphones
    Column("created_ms", BigInteger, nullable=False),
)

# A ballot is used once: its vote has its key.
votes = Table(
    "votes",
    metadata,
    Column("ballot", String(32), ForeignKey("ballots.id"), primary_key=True),
    Column("choice", Integer, nullable=False),  # 0: the clip heard first, 1: the second
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("choice IN (0, 1)", name="choice"),
)

WAITING, PUBLISHED, HELD, HIDDEN = "waiting", "published", "held", "hidden"

drawings = Table(
    "drawings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("visitor", String(32), nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # draw, compose
    Column("name", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("lines", JSON, nullable=False),  # points as drawn: [[track, thickness, [[x, y], ...]], ...], 0..1; or what was given
    Column("music", JSON, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("shown_ms", BigInteger, nullable=True),  # when it was played on the stage
)

Index("ix_ballots_room", ballots.c.room)
# In an order in which what a row refers to comes before it.
TABLES = (generations, clips, parents, drawings, ballots, votes)
