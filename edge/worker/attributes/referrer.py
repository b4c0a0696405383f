"""Where a visitor came from: the page before, as the browser tells it."""

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

MAX_REFERRER_BYTES: Final = 2048
_MAX_REMEMBERED: Final = 4096

DIRECT, INTERNAL, SEARCH, SOCIAL, LINK = "direct", "internal", "search", "social", "link"
TYPES: Final = (DIRECT, INTERNAL, SEARCH, SOCIAL, LINK)

# Names within a host: search engines have one for each country.
_SEARCH: Final = frozenset(
    ("google", "bing", "yahoo", "duckduckgo", "baidu", "yandex", "ecosia", "qwant", "startpage", "naver",
     "seznam", "sogou", "kagi")
)  # fmt: skip
_SOCIAL: Final = frozenset(
    ("facebook", "instagram", "linkedin", "pinterest", "reddit", "tiktok", "tumblr", "twitter", "vk", "weibo",
     "whatsapp", "youtube", "mastodon", "bsky", "threads")
)  # fmt: skip
_MAIL: Final = frozenset(("mail", "outlook", "webmail"))
_SHORT: Final = {
    "t.co": SOCIAL,
    "x.com": SOCIAL,
    "fb.com": SOCIAL,
    "lnkd.in": SOCIAL,
    "youtu.be": SOCIAL,
    "search.brave.com": SEARCH,
    "mastodon.social": SOCIAL,
}


@lru_cache(_MAX_REMEMBERED)
def parse(referrer: bytes) -> tuple[str, str] | None:
    """Host (without its port) and path of the page before; None for what is no page of the web."""
    if len(referrer) > MAX_REFERRER_BYTES:
        return None
    try:
        parts = urlsplit(referrer.decode("latin-1"))
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    return host.rstrip("."), parts.path or "/"


def host_of(header: bytes) -> str:
    """The name in a Host header, without its port."""
    host = header.decode("latin-1").lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")


def type_of(referrer: bytes | None, own_host: bytes) -> str:
    """One of `TYPES`; a link from another site that is neither search nor social is a ``link``."""
    page = parse(referrer) if referrer else None
    if page is None:
        return DIRECT
    return INTERNAL if page[0] == host_of(own_host) else _type_of_host(page[0])


@lru_cache(_MAX_REMEMBERED)
def _type_of_host(host: str) -> str:
    bare = host.removeprefix("www.").removeprefix("m.")
    if known := _SHORT.get(bare):
        return known
    # The registered name stands before one or two parts of a public suffix: google.de, google.co.uk.
    names = host.split(".")
    if names[0] in _MAIL:
        return LINK
    registered = names[-3:-1] if len(names) > 2 and len(names[-2]) <= 3 else names[-2:-1]
    if not _SEARCH.isdisjoint(registered):
        return SEARCH
    return SOCIAL if not _SOCIAL.isdisjoint(registered) else LINK
