"""A Redis small enough to bend: it knows GET-like commands, answers late, wrongly, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class SmallRedis:
    """Holds values by name; counts what it is asked."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}
        self.asked: list[list[bytes]] = []
        self.connections = 0
        self.delay_s = 0.0
        self.broken = False
        self.tasks: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        try:
            while True:
                writer.write(await self._answer(await _command(reader)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    async def _answer(self, command: list[bytes]) -> bytes:
        name, *words = command
        if name.upper() == b"MGET":
            self.asked.append(words)
            await asyncio.sleep(self.delay_s)
            if self.broken:
                return b"-LOADING Redis is loading the dataset in memory\r\n"
            return b"*%d\r\n" % len(words) + b"".join([_bulk(self.held.get(word)) for word in words])
        if name.upper() == b"SET":
            self.held[words[0]] = words[1]
        return b"+OK\r\n" if name.upper() != b"HELLO" else b"-ERR unknown command\r\n"


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    count = int((await reader.readuntil(b"\r\n"))[1:])
    words = []
    for _ in range(count):
        length = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(length + 2))[:-2])
    return words


def _bulk(value: bytes | None) -> bytes:
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


@asynccontextmanager
async def serving_redis(redis: SmallRedis) -> AsyncIterator[str]:
    """Run it; its URL."""
    server = await asyncio.start_server(redis.serve, "127.0.0.1", 0)
    try:
        # The older protocol: it needs no greeting.
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0?protocol=2"
    finally:
        server.close()
        tasks = [redis.tasks.pop() for _ in range(len(redis.tasks))]
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)
