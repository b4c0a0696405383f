"""The tables of the origin's database; the store writes them, the lake's readers read them."""

from typing import Final

from sqlalchemy import JSON, Column, Integer, LargeBinary, MetaData, String, Table

DATABASE: Final = "origin.db"
"""The database's name inside of the origin's data folder."""

metadata = MetaData()

manifests = Table(
    "manifests",
    metadata,
    Column("site", String, primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("role", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("signed", LargeBinary, nullable=False),
    Column("created_ms", Integer, nullable=False),
)

revisions = Table(
    "revisions",
    metadata,
    Column("site", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("bundle", String(32), nullable=False),
    Column("manifests", JSON, nullable=False),
    Column("signed", LargeBinary, nullable=False),
    Column("author", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("created_ms", Integer, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("site", String, primary_key=True),
    Column("serial", Integer, primary_key=True),
    Column("pops", JSON, nullable=False),
    Column("kill", JSON, nullable=False),
    Column("signed", LargeBinary, nullable=False),
    Column("author", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("created_ms", Integer, nullable=False),
)
"""Every rollout that ever was, with who ordered it and why: the audit of what edges served."""

stock_changes = Table(
    "stock_changes",
    metadata,
    Column("site", String, primary_key=True),
    Column("serial", Integer, primary_key=True),
    Column("id", String(32), nullable=False),
    Column("out", JSON, nullable=False),
    Column("back", JSON, nullable=False),
    Column("held", Integer, nullable=False),
    Column("author", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("created_ms", Integer, nullable=False),
)
"""Every change of stock: which items went out, which came back, and how many are out since.

All of them, in order, make every stock list that ever was in force; `id` names it in records."""

stock_in_force = Table(
    "stock_in_force",
    metadata,
    Column("site", String, primary_key=True),
    Column("serial", Integer, nullable=False),
    Column("signed", LargeBinary, nullable=False),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("site", String, primary_key=True),
    Column("pop", String, primary_key=True),
    Column("spool", String, primary_key=True),
    Column("segment", Integer, primary_key=True),
    Column("committed", Integer, nullable=False),
    Column("updated_ms", Integer, nullable=False),
)

pop_tokens = Table(
    "pop_tokens",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("site", String, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("token_sha256", String(64), nullable=False),
    Column("author", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("created_ms", Integer, nullable=False),
    Column("revoked_ms", Integer, nullable=False, default=0),
)
"""Every credential that a PoP ever had; of a PoP at most one is not revoked.

A revoked one names who revoked it, why, and when."""

pops_seen = Table(
    "pops_seen",
    metadata,
    Column("site", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("seen_ms", Integer, nullable=False),
)

lake_files = Table(
    "lake_files",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("site", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("path", String, nullable=False, unique=True),
    Column("rows", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("created_ms", Integer, nullable=False),
)
"""What the lake holds; a file that is not listed here is no part of it. `path` is below the data folder."""
