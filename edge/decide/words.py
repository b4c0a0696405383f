"""A text as a row of numbers, so that a graph can read it that knows no words.

The same function makes the rows that a model is trained on and those of a visitor's query,
so nothing can differ between them: no locale, no vocabulary, no text inside of a graph.
"""

import itertools
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_CHARACTERS: Final = 500
"""What a text has beyond is not read: the work a query costs is bounded."""

GRAM: Final = 4
STYLE: Final = 8
"""Columns in front that say how a text is written, before those of its words."""

SIGN: Final = 1 << 31
WORD: Final = re.compile(r"\w+")
NUMBER: Final = re.compile(r"\d+")
NAMED: Final = frozenset(("i", "you", "he", "she", "his", "her", "they", "we", "my", "your", "this", "these"))


def rows(texts: Sequence[str], width: int) -> NDArray[np.float32]:
    """One row a text, of so many columns: how it is written, then its words, hashed.

    Pairs and parts of words count as words, and all together are of one length.
    """
    found = np.zeros((len(texts), width), np.float32)
    for row, text in zip(found, texts, strict=True):
        _fill(row, text[:MAX_CHARACTERS])
    return found


def _fill(row: NDArray[np.float32], text: str) -> None:
    words = WORD.findall(_folded(text))
    grams = "\n".join(_grams(words)).encode("utf-8", "surrogatepass").split(b"\n")
    codes = np.array([zlib.crc32(gram) for gram in grams if gram], np.uint32)
    if len(codes):
        signs = np.where(codes & SIGN, 1.0, -1.0)
        counts = np.bincount(codes % (len(row) - STYLE), signs, len(row) - STYLE)
        row[STYLE:] = counts / max(1.0, float(np.sqrt(counts @ counts)))
    row[:STYLE] = _style(text, words)


def _folded(text: str) -> str:
    """Without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def _grams(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        yield word
        edged = f"<{word}>"
        for start in range(len(edged) - GRAM + 1):
            yield edged[start : start + GRAM]
    for first, second in itertools.pairwise(words):
        yield f"{first} {second}"


def _style(text: str, words: Sequence[str]) -> tuple[float, ...]:
    """Each from 0 to about 1."""
    written = WORD.findall(text)
    return (
        len(text) / 100,
        len(words) / 20,
        sum(map(len, words)) / 10 / max(1, len(words)),
        min(1.0, len(NUMBER.findall(text)) / 2),
        float("?" in text),
        float("!" in text),
        sum(word[0].isupper() for word in written) / max(1, len(written)),
        min(1.0, sum(word in NAMED for word in words) / 4),
    )
