"""Wishes: what visitors said of their own on their page, in a cookie that nothing else writes."""

import struct
from typing import Final

import msgspec
from msgspec.structs import replace

from edge.decide.types import Muted
from edge.errors import GivenError
from edge.visitor.state import MAX_ITEMS, VisitorState

VERSION: Final = 1
OF_BYTES: Final = 4
MAX_MUTED_ITEMS: Final = 24
MAX_MUTED_TOPICS: Final = 12
MAX_LIKED: Final = 12
MAX_BYTES: Final = 800
"""Of all items and topics together; a wish that finds no room is refused, and none is dropped for it."""

_SINCE: Final = struct.Struct("<I")


class Wishes(msgspec.Struct, frozen=True, array_like=True):
    """What one visitor wished.

    Attributes
    ----------
    of : bytes
        Whose they are: the first bytes of the visitor's id, or when a session without an id began.
    muted : Muted
        What must not be recommended, the newest last.
    liked : tuple[str, ...]
        Items, the newest first.
    """

    version: int = VERSION
    of: bytes = b""
    muted: Muted = Muted()
    liked: tuple[str, ...] = ()


NO_WISHES: Final = Wishes()


def belongs(wishes: Wishes, state: VisitorState) -> bool:
    """Whether the wishes are this visitor's, or those of the session in which they got their id."""
    return bool(state.visits) and wishes.of in (state.visitor[:OF_BYTES], _since(state))


def whose(state: VisitorState) -> bytes:
    """What stands in `Wishes.of` for this visitor."""
    return state.visitor[:OF_BYTES] or _since(state)


def _since(state: VisitorState) -> bytes:
    return _SINCE.pack(state.first_s & 0xFFFF_FFFF)


def mute_item(wishes: Wishes, item: str) -> Wishes:
    """No more of this item; it is not liked either from now on.

    Raises
    ------
    GivenError
        ``wishes``: there is no room.
    """
    items = (*[one for one in wishes.muted.items if one != item], item)
    liked = _without(wishes.liked, item)
    return _bounded(replace(wishes, muted=Muted(items, wishes.muted.topics), liked=liked))


def mute_topic(wishes: Wishes, topic: str) -> Wishes:
    """No more of this topic.

    Raises
    ------
    GivenError
        ``wishes``: there is no room.
    """
    topics = (*[one for one in wishes.muted.topics if one != topic], topic)
    return _bounded(replace(wishes, muted=Muted(wishes.muted.items, topics)))


def like(wishes: Wishes, item: str) -> Wishes:
    """More like this item; it is not muted from now on.

    Raises
    ------
    GivenError
        ``wishes``: there is no room.
    """
    muted = Muted(_without(wishes.muted.items, item), wishes.muted.topics)
    return _bounded(replace(wishes, muted=muted, liked=(item, *_without(wishes.liked, item))))


def take_back_item(wishes: Wishes, item: str) -> Wishes:
    """Neither muted nor liked."""
    muted = Muted(_without(wishes.muted.items, item), wishes.muted.topics)
    return replace(wishes, muted=muted, liked=_without(wishes.liked, item))


def take_back_topic(wishes: Wishes, topic: str) -> Wishes:
    """The topic is muted no more."""
    return replace(wishes, muted=Muted(wishes.muted.items, _without(wishes.muted.topics, topic)))


def history(viewed: tuple[str, ...], wishes: Wishes) -> tuple[str, ...]:
    """What recommenders go by: what was liked, as if viewed a moment ago, and then what was viewed."""
    if not wishes.liked:
        return viewed
    return tuple(dict.fromkeys((*wishes.liked, *viewed)))[:MAX_ITEMS]


def _without(held: tuple[str, ...], gone: str) -> tuple[str, ...]:
    return tuple(one for one in held if one != gone)


def _bounded(wishes: Wishes) -> Wishes:
    muted, liked = wishes.muted, wishes.liked
    for held, most, what in (
        (muted.items, MAX_MUTED_ITEMS, "items to see less of"),
        (muted.topics, MAX_MUTED_TOPICS, "topics to see less of"),
        (liked, MAX_LIKED, "items to see more of"),
    ):
        if len(held) > most:
            raise GivenError("wishes", f"there is room for {most} {what}; take one of them back first")
    size = sum(len(name.encode()) + 3 for name in (*muted.items, *muted.topics, *liked))
    if size > MAX_BYTES:
        raise GivenError("wishes", "there is no room for more; take something back first")
    return wishes
