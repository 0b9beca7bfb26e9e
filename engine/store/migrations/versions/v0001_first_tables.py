"""The first tables: generations, clips with their parents, drawings, ballots and votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drawings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visitor", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("music", sa.JSON(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("shown_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drawings")),
    )
    op.create_index(op.f("ix_drawings_visitor"), "drawings", ["visitor"], unique=False)
    op.create_table(
        "generations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("network", sa.String(length=1024), nullable=False),
        sa.Column("sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("seed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["parent"], ["generations.id"], name=op.f("fk_generations_parent_generations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
    )
    op.create_table(
        "clips",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("music", sa.JSON(), nullable=False),
        sa.Column("network", sa.String(length=1024), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["generation"], ["generations.id"], name=op.f("fk_clips_generation_generations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clips")),
    )
    op.create_index(op.f("ix_clips_generation"), "clips", ["generation"], unique=False)
    op.create_table(
        "ballots",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("visitor", sa.String(length=32), nullable=False),
        sa.Column("crowd", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("second", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("across", sa.Boolean(), nullable=False),
        sa.Column("room", sa.Integer(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["first"], ["clips.id"], name=op.f("fk_ballots_first_clips")),
        sa.ForeignKeyConstraint(["generation"], ["generations.id"], name=op.f("fk_ballots_generation_generations")),
        sa.ForeignKeyConstraint(["second"], ["clips.id"], name=op.f("fk_ballots_second_clips")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ballots")),
    )
    op.create_index(op.f("ix_ballots_generation"), "ballots", ["generation"], unique=False)
    op.create_index("ix_ballots_room", "ballots", ["room"], unique=False)
    op.create_index(op.f("ix_ballots_visitor"), "ballots", ["visitor"], unique=False)
    op.create_table(
        "parents",
        sa.Column("clip", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["clip"], ["clips.id"], name=op.f("fk_parents_clip_clips")),
        sa.ForeignKeyConstraint(["parent"], ["clips.id"], name=op.f("fk_parents_parent_clips")),
        sa.PrimaryKeyConstraint("clip", "place", name=op.f("pk_parents")),
    )
    op.create_index(op.f("ix_parents_parent"), "parents", ["parent"], unique=False)
    op.create_table(
        "votes",
        sa.Column("ballot", sa.String(length=32), nullable=False),
        sa.Column("choice", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("choice IN (0, 1)", name=op.f("ck_votes_choice")),
        sa.ForeignKeyConstraint(["ballot"], ["ballots.id"], name=op.f("fk_votes_ballot_ballots")),
        sa.PrimaryKeyConstraint("ballot", name=op.f("pk_votes")),
    )
