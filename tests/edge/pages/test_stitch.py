"""What is stitched is one gzip stream of the same bytes, for every decoder."""

import gzip
import shutil
import subprocess
import zlib
from collections.abc import Sequence
from functools import reduce
from http.server import BaseHTTPRequestHandler, HTTPServer
from operator import xor
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.pages.stitch import MAX_STORED, SHIFT_FROM, Part, deflated, shift_of, stitched, stored

RAWS = st.binary(max_size=300) | st.integers(0, 3 * MAX_STORED).map(
    lambda size: b"<p>nearside</p>\n" * (size // 16)
)
LEVEL = st.sampled_from([1, 6, 9])


@settings(deadline=None)
@given(st.lists(st.tuples(RAWS, LEVEL, st.booleans(), st.booleans()), max_size=8))
def test_any_parts_in_any_order_are_one_stream(made: list[tuple[bytes, int, bool, bool]]) -> None:
    parts = []
    for raw, level, stores, settles in made:
        part = Part(raw, stored(raw) if stores else deflated(raw, level))
        parts.append(part.settle() if settles else part)
    whole = b"".join(part.raw for part in parts)
    for order, wanted in ((parts, whole), (parts[::-1], b"".join(part.raw for part in reversed(parts)))):
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        assert stream.decompress(stitched(order)) == wanted
        assert stream.eof
        assert not stream.unused_data


@settings(deadline=None)
@given(st.binary(max_size=100), st.binary(min_size=1, max_size=50), st.integers(0, 400))
def test_a_checksum_is_combined_as_if_run_over_all(before: bytes, seed: bytes, times: int) -> None:
    raw = seed * times + b"x" * SHIFT_FROM
    part = Part(raw, b"").settle()
    assert part.shift is not None
    stream = stitched([Part(before, b""), part])
    assert int.from_bytes(stream[-8:-4], "little") == zlib.crc32(before + raw)


@pytest.mark.parametrize("length", [1, 2, 4095, 65_536, (1 << 31) + 7])
def test_a_shift_is_what_zeros_do(length: int) -> None:
    """Checked by lengths added up, where running over so many zeros would take too long."""
    shift, half, rest = shift_of(length), shift_of(length // 2), shift_of(length - length // 2)

    def applied(table: Sequence[int], crc: int) -> int:
        return reduce(xor, [table[16 * nibble | crc >> 4 * nibble & 15] for nibble in range(8)])

    for crc in (1, 0xDEADBEEF, 0xFFFFFFFF):
        assert applied(shift, crc) == applied(rest, applied(half, crc))
        if length < 100_000:
            assert applied(shift, crc) == zlib.crc32(bytes(length), crc) ^ zlib.crc32(bytes(length))


def test_nothing_is_a_stream_too() -> None:
    assert gzip.decompress(stitched([])) == b""
    assert stored(b"") == deflated(b"", 6) == b""


def test_noise_is_stored() -> None:
    noise = bytes((7 * number * number + number // 3) & 255 for number in range(200))
    assert len(deflated(noise, 9)) <= len(noise) + 5


def _page() -> tuple[bytes, bytes]:
    raw = ["<p>größer</p>".encode() * 5000, b"", b"<b>stored</b>", b"<i>x</i>" * 30_000]
    parts = [Part(raw[0], deflated(raw[0], 6)).settle(), Part(b"", b"")]
    parts += [Part(raw[2], stored(raw[2])), Part(raw[3], stored(raw[3])).settle()]
    return stitched(parts), b"".join(raw)


@pytest.mark.parametrize(
    "command",
    [
        ["gzip", "-dc"],
        ["node", "-e", "process.stdout.write(zlib.gunzipSync(require('fs').readFileSync(0)))"],
        [
            "node",
            "-e",
            "new Response(new Blob([require('fs').readFileSync(0)]).stream()"
            ".pipeThrough(new DecompressionStream('gzip'))).arrayBuffer()"
            ".then(b => process.stdout.write(Buffer.from(b)))",
        ],
    ],
    ids=["gzip", "node", "node-stream"],
)
def test_other_decoders_read_it(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    stream, raw = _page()
    assert subprocess.run(command, input=stream, capture_output=True, check=True, timeout=30).stdout == raw


def test_curl_reads_it() -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    stream, raw = _page()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(stream)))
            self.end_headers()
            self.wfile.write(stream)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.handle_request, daemon=True).start()
        command = ["curl", "-sf", "--compressed", f"http://127.0.0.1:{server.server_port}/"]
        assert subprocess.run(command, capture_output=True, check=True, timeout=30).stdout == raw
