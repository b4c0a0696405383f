"""Patterns of URLs: a path with wildcards and parameters, and fields of the query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

MAX_PATTERN_CHARS: Final = 512
MAX_URL_CHARS: Final = 1024
MAX_WILDCARDS: Final = 16
MAX_FIELDS: Final = 100

ANY_DEPTH: Final = "**"


class UrlPatternError(ValueError):
    """The pattern can't be read; the message says why."""


@dataclass(frozen=True)
class UrlPattern:
    """A parsed pattern; `query` holds what fields must be there, in any order."""

    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]

    def matches(self, url: str) -> bool:
        """Whether a path, a path with its query or a whole URL fits; takes time by lengths, not more."""
        if len(url) > MAX_URL_CHARS:
            return False
        path, _, query = _local(url).partition("?")
        segments = [unquote(part) for part in path.strip("/").split("/")]
        if not _glob(self.segments, segments, lambda part: part == ANY_DEPTH, _segment):
            return False
        if not self.query:
            return True
        if query.count("&") >= MAX_FIELDS:
            return False
        fields = parse_qsl(query, keep_blank_values=True)
        return all(
            any(name == given and _text(wanted, value) for given, value in fields)
            for name, wanted in self.query
        )


@lru_cache(4096)
def url_pattern(text: str) -> UrlPattern:
    """Read a pattern.

    ``*`` stands for any text without a slash, ``:name`` for one whole part that is
    not empty, ``**`` for any number of parts, none too. Slashes at the end don't count.
    After ``?`` come fields that must be in the query, such as ``?sort=price&page=*``.

    Raises
    ------
    UrlPatternError
        It is too long, does not begin with a slash, or mixes ``**`` with other text in a part.
    """
    if len(text) > MAX_PATTERN_CHARS:
        raise UrlPatternError(f"a URL pattern has at most {MAX_PATTERN_CHARS} characters")
    path, _, query = text.partition("?")
    if not path.startswith("/") or "#" in text:
        raise UrlPatternError("a URL pattern is a path: it begins with / and has no #")
    if text.count("*") > MAX_WILDCARDS:
        raise UrlPatternError(f"a URL pattern has at most {MAX_WILDCARDS} wildcards")
    segments = tuple(path.strip("/").split("/"))
    for segment in segments:
        if ANY_DEPTH in segment and segment != ANY_DEPTH:
            raise UrlPatternError(f"** stands alone between slashes, not in {segment!r}")
        if segment == ":":
            raise UrlPatternError("a parameter has a name, as in /film/:id")
    return UrlPattern(segments, tuple(parse_qsl(query, keep_blank_values=True)))


def fits_url(actual: Any, pattern: Any) -> bool:
    """Whether the URL fits the pattern, or one of a list."""
    if not isinstance(actual, str):
        return False
    patterns = [pattern] if isinstance(pattern, str) else pattern
    return any(url_pattern(one).matches(actual) for one in patterns)


def _local(url: str) -> str:
    url = url.partition("#")[0]
    scheme, found, rest = url.partition("://")
    if not found or "/" in scheme or "?" in scheme:
        return url
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    return rest[end:] or "/"


def _segment(wanted: str, actual: str) -> bool:
    if wanted.startswith(":"):
        return bool(actual)
    return _text(wanted, actual)


def _text(wanted: str, actual: str) -> bool:
    if "*" not in wanted:
        return wanted == actual
    return _glob(wanted, actual, lambda sign: sign == "*", str.__eq__)


def _glob(
    wanted: Sequence[str],
    actual: Sequence[str],
    wild: Callable[[str], bool],
    same: Callable[[str, str], bool],
) -> bool:
    """Wildcards with one memory: going back to the last is enough, so at most len × len steps."""
    at = position = 0
    star, mark = -1, 0
    while position < len(actual):
        if at < len(wanted) and wild(wanted[at]):
            star, mark = at, position
            at += 1
        elif at < len(wanted) and same(wanted[at], actual[position]):
            at += 1
            position += 1
        elif star >= 0:
            mark += 1
            at, position = star + 1, mark
        else:
            return False
    return all(wild(one) for one in wanted[at:])
