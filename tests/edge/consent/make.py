"""Makes consent strings, as consent platforms do."""

from collections.abc import Iterable

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encoded(bits: str) -> str:
    """Bits as a consent string writes them."""
    bits += "0" * (-len(bits) % 6)
    return "".join(BASE64[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def field(numbers: Iterable[int], size: int) -> str:
    """A bit for each number from 1 to `size`."""
    held = set(numbers)
    return "".join("01"[number in held] for number in range(1, size + 1))


def vendors(numbers: Iterable[int]) -> str:
    """A set of vendors."""
    held = set(numbers)
    greatest = max(held, default=0)
    return f"{greatest:016b}0{field(held, greatest)}"


def tc_string(
    consents: Iterable[int] = (),
    interests: Iterable[int] = (),
    *,
    vendor_consents: Iterable[int] = (),
    vendor_interests: Iterable[int] = (),
    restrictions: Iterable[tuple[int, int, int]] = (),
    publisher: tuple[Iterable[int], Iterable[int]] | None = None,
    disclosed: Iterable[int] | None = None,
) -> str:
    """A TC string of version 2; `restrictions` are purpose, kind and vendor."""
    head = f"{2:06b}" + f"{16_000_000_000:036b}" * 2 + f"{50:012b}{1:012b}{0:06b}{4:06b}{13:06b}{48:012b}"
    core = head + f"{4:06b}10" + "0" * 12 + field(consents, 24) + field(interests, 24) + "0" + "0" * 12
    core += vendors(vendor_consents) + vendors(vendor_interests)
    entries = list(restrictions)
    core += f"{len(entries):012b}"
    core += "".join(f"{purpose:06b}{kind:02b}{1:012b}0{vendor:016b}" for purpose, kind, vendor in entries)
    text = encoded(core)
    if disclosed is not None:
        text += "." + encoded("001" + vendors(disclosed))
    if publisher is not None:
        text += "." + encoded("011" + field(publisher[0], 24) + field(publisher[1], 24) + "0" * 6)
    return text
