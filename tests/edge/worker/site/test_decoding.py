"""What a site sent coded is decoded, whole or as it comes, within bounds."""

import gzip
import random
import time
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from edge.worker.site.decoding import FREE_BYTES, MAX_MEMBERS, MAX_RATIO, Decoding, DecodingError, decoded

PAGE = b"<p>page</p>" * 1000


def zstd(body: bytes, level: int = 3) -> bytes:
    return zstandard.ZstdCompressor(level=level).compress(body)


def raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body, wbits=-15)


CODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"": bytes,
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstd,
}


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (PAGE, b""),
        (PAGE, b"identity"),
        (gzip.compress(PAGE), b"gzip"),
        (gzip.compress(PAGE), b"x-gzip"),
        (gzip.compress(PAGE[:99]) + gzip.compress(PAGE[99:]), b"gzip"),
        (zlib.compress(PAGE), b"deflate"),
        (raw_deflate(PAGE), b"deflate"),
        (brotli.compress(PAGE), b"br"),
        (zstd(PAGE), b"zstd"),
        (zstd(PAGE[:99]) + zstd(PAGE[99:]), b"zstd"),
    ],
)
def test_a_coded_page_is_decoded(body: bytes, coding: bytes) -> None:
    assert decoded(body, coding, len(PAGE)) == PAGE
    decoding = Decoding(coding, len(PAGE))
    assert b"".join([decoding.take(body[at : at + 1]) for at in range(len(body))]) == PAGE
    decoding.end()


@pytest.mark.parametrize("coding", CODERS)
def test_a_page_is_decoded_as_it_comes(coding: bytes) -> None:
    """What was flushed by the site can be read at once; it must not wait for what follows."""
    body, dice = bytes(random.Random(3).choices(b"<p> abcdef", k=90_000)), random.Random(4)
    coded = CODERS[coding](body)
    for _ in range(20):
        cuts = sorted(dice.sample(range(len(coded)), 7))
        decoding, parts = Decoding(coding, len(body)), []
        for start, end in zip([0, *cuts], [*cuts, len(coded)], strict=True):
            parts.append(decoding.take(coded[start:end]))
        decoding.end()
        assert b"".join(parts) == body


def test_nothing_that_came_is_held_back() -> None:
    body = bytes(random.Random(3).choices(b"<p> ab", k=300_000))
    squeezer, decoding = brotli.Compressor(quality=5), Decoding(b"br", len(body))
    assert decoding.take(squeezer.process(body) + squeezer.flush()) == body


def test_what_a_site_flushed_is_there() -> None:
    squeezer = brotli.Compressor()
    decoding = Decoding(b"br", 1000)
    assert decoding.take(squeezer.process(b"<head>") + squeezer.flush()) == b"<head>"
    frame = zstandard.ZstdCompressor().compressobj()
    decoding = Decoding(b"zstd", 1000)
    begun = frame.compress(b"<head>") + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    assert decoding.take(begun) == b"<head>"


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(PAGE)[:-1], b"gzip"),
        (gzip.compress(PAGE)[:-9], b"gzip"),
        (gzip.compress(PAGE)[:-8] + b"\0" * 8, b"gzip"),
        (gzip.compress(PAGE) + b"more", b"gzip"),
        (b"<p>no gzip</p>", b"gzip"),
        (PAGE, b"deflate"),
        (b"x", b"deflate"),
        (PAGE, b"br"),
        (brotli.compress(PAGE)[:-1], b"br"),
        (brotli.compress(PAGE) + b"more", b"br"),
        (PAGE, b"zstd"),
        (zstd(PAGE)[:-1], b"zstd"),
        (zstd(PAGE) + b"more", b"zstd"),
        (zstd(b"x") * (MAX_MEMBERS + 1), b"zstd"),
        (gzip.compress(b"") * (MAX_MEMBERS + 1), b"gzip"),
    ],
)
def test_what_is_broken_is_refused(body: bytes, coding: bytes) -> None:
    with pytest.raises(DecodingError) as caught:
        decoded(body, coding, len(PAGE))
    assert caught.value.reason == "broken"


def test_a_window_larger_than_the_web_allows_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, compression_level=1)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(DecodingError):
        decoded(frame.compress(PAGE) + frame.flush(), b"zstd", len(PAGE))


@pytest.mark.parametrize("coding", CODERS)
def test_a_page_may_be_as_long_as_pages_may_be_and_no_longer(coding: bytes) -> None:
    coded = CODERS[coding](PAGE)
    assert decoded(coded, coding, len(PAGE)) == PAGE
    with pytest.raises(DecodingError) as caught:
        decoded(coded, coding, len(PAGE) - 1)
    assert caught.value.reason == "size"


@pytest.mark.parametrize("coding", [coding for coding in CODERS if coding])
def test_a_bomb_costs_no_more_than_the_page_that_may_be(coding: bytes) -> None:
    bomb = CODERS[coding](bytes(64 << 20))
    start = time.process_time()
    with pytest.raises(DecodingError):
        decoded(bomb, coding, 1 << 20)
    assert time.process_time() - start < 0.1


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"zstd"])
def test_a_small_bomb_is_none_of_a_page(coding: bytes) -> None:
    bomb = CODERS[coding](bytes(FREE_BYTES + MAX_RATIO * 4000))
    with pytest.raises(DecodingError) as caught:
        decoded(bomb, coding, 4 << 20)
    assert caught.value.reason == "ratio"


@pytest.mark.parametrize("coding", CODERS)
def test_an_empty_body_is_an_empty_page(coding: bytes) -> None:
    assert decoded(b"", coding, 10) == decoded(CODERS[coding](b""), coding, 10) == b""
