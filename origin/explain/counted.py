"""Says a count with its noun, in the singular where it is one."""


def counted(count: int, noun: str, plural: str = "") -> str:
    """As in ``1 visitor``, ``2,000 visitors``; `plural` where it is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
