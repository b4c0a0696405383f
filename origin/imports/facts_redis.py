"""Lays a table of facts about visitors into the Redis that the edges of a PoP ask."""

from pathlib import Path
from typing import Final

from edge.errors import ConfigError
from edge.keys import load_keys
from edge.visitor.facts import hash_of, remote_name, remote_value
from origin.imports.facts_csv import rows_of

BATCH: Final = 1000
DAY_S: Final = 86_400


def load(table: Path, keys: Path, url: str, keep_days: int) -> tuple[int, int]:
    """Set what is told of each visitor; how many these are, and how many facts there are of each at most.

    The whole table is read before anything is set. What is not told again is forgotten after `keep_days`.

    Raises
    ------
    ConfigError
        ``facts``: what is wrong with the table, with its line, or with the Redis; ``keys``: with the
        keys file.
    """
    try:
        from redis import Redis  # noqa: PLC0415 - an extra
        from redis.exceptions import RedisError  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError("facts", "facts in a Redis need the extra `redis`") from error
    held, rows = load_keys(keys), list(rows_of(table))
    key = held.event[0]
    try:
        with Redis.from_url(url, socket_timeout=10.0) as client:
            for start in range(0, len(rows), BATCH):
                pipe = client.pipeline(transaction=False)
                for visitor, facts in rows[start : start + BATCH]:
                    name = remote_name(held.site, key.id, hash_of(held.site, key.raw(), visitor))
                    pipe.set(name, remote_value(facts), ex=keep_days * DAY_S)
                pipe.execute()
    except (RedisError, ValueError) as error:
        raise ConfigError("facts", f"the Redis can't take them: {error}") from error
    return len(rows), max((len(facts) for _, facts in rows), default=0)
