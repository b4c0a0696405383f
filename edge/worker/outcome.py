"""How an answer came about: as it is counted, and as its headers tell."""

from typing import Final

TOLD: Final = {
    "hit": (b"cache-status", b"Nearside; hit"),
    "stale": (b"cache-status", b"Nearside; hit; detail=stale"),
    "collapsed": (b"cache-status", b"Nearside; fwd=miss; collapsed"),
    "validated": (b"cache-status", b"Nearside; fwd=stale; fwd-status=304; stored"),
    "stored": (b"cache-status", b"Nearside; fwd=miss; stored"),
    "passed": (b"cache-status", b"Nearside; fwd=miss"),
}
"""RFC 9211, by how an answer came about."""
FROM: Final = {how: b"page;desc=" + how.encode() for how in TOLD}
COUNTED: Final = {how: f'nearside_cache_total{{result="{how}"}}' for how in TOLD}
HIT: Final = COUNTED["hit"]
