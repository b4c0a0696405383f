"""Networks in CIDR notation, and whether an address is in one."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

MAX_ADDRESS_CHARS: Final = 64

Network = IPv4Network | IPv6Network


def network(text: str) -> Network:
    """The network, an address alone being a network of one.

    Raises
    ------
    ValueError
        It is none, or has bits set beyond its prefix.
    """
    return ip_network(text.strip())


@lru_cache(4096)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(network(text) for text in texts)


def in_network(actual: Any, networks: Any) -> bool:
    """Whether the address is in the network, or in one of a list, as condition values; see `is_within`."""
    if not isinstance(actual, str) or len(actual) > MAX_ADDRESS_CHARS:
        return False
    texts = (networks,) if isinstance(networks, str) else tuple(networks)
    try:
        known = _networks(texts)
    except ValueError:
        return False
    return is_within(actual.strip(), known)


def is_within(text: str, networks: Iterable[Network]) -> bool:
    """Whether the address is in one of the networks; what is no address is in none.

    An IPv4 address written as IPv6 (``::ffff:192.0.2.1``) counts as IPv4.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in one for one in networks)


def is_address(text: str) -> bool:
    """Whether it is one, of IPv4 or IPv6."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
