"""What an index file must fulfil before it is believed; a few vectorized passes."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from edge.bundle.arrays import Array
from edge.bundle.strings import Strings
from edge.errors import BundleError


def check(arrays: Mapping[str, Array], expected: Mapping[str, tuple[str, int]]) -> None:
    """Refuse arrays that could make a look-up fail, or match a rule that is not there.

    Parameters
    ----------
    expected
        dtype and number of dimensions of each array.

    Raises
    ------
    BundleError
        ``index``, with the name of the array.
    """
    for name, (dtype, dimensions) in expected.items():
        array = arrays.get(name)
        _need(array is not None, name, "is missing")
        assert array is not None
        _need(array.dtype.str == dtype and array.ndim == dimensions, name, "has a wrong type or shape")
    names, values = _strings(arrays)
    _need(len(arrays["rules"]) == 1, "rules", "is not one number")
    _check_rows(arrays, len(names))
    _check_pointers(arrays["flips.pointers"], len(values), len(arrays["flips"]), "flips.pointers")
    _check_ids(arrays)
    _check_ranges(arrays, len(names))
    _check_predicates(arrays)


def _need(holds: bool, name: str, what: str) -> None:
    if not holds:
        raise BundleError("index", f"array {name!r} {what}")


def _strings(arrays: Mapping[str, Array]) -> tuple[list[bytes], Strings]:
    try:
        table, values = Strings(arrays, "attributes"), Strings(arrays, "values")
        names = [table[i] for i in range(len(table))]
        for name in names:
            name.decode()
    except (BundleError, UnicodeDecodeError) as error:
        raise BundleError("index", f"names or values can't be read: {error}") from error
    _need(all(a < b for a, b in pairwise(names)), "attributes", "is not sorted")
    return names, values


def _check_rows(arrays: Mapping[str, Array], attributes: int) -> None:
    rules = int(arrays["rules"][0])
    row_bytes = (rules + 7) // 8
    everyone = arrays["everyone"]
    _need(everyone.shape == (row_bytes,), "everyone", "does not fit the number of rules")
    # Whatever a row says beyond the last rule dies against `everyone`: this is the only check needed.
    _need(rules % 8 == 0 or not everyone[-1] >> (rules % 8), "everyone", "has a bit of no rule")
    for name in ("absent", "default", "unranged"):
        _need(arrays[name].shape == (attributes, row_bytes), name, "does not fit attributes and rules")
    for name in ("kinds", "types"):
        _need(arrays[name].shape == (attributes,), name, "does not fit the attributes")
    _need(arrays["checkpoints"].shape[1] == row_bytes, "checkpoints", "does not fit the number of rules")


def _check_ids(arrays: Mapping[str, Array]) -> None:
    rules = int(arrays["rules"][0])
    for name in ("flips", "toggles", "guards", "users"):
        _need(int(arrays[name].max(initial=0)) < rules or not len(arrays[name]), name, "names no rule")


def _check_pointers(pointers: Array, count: int, end: int, name: str) -> None:
    fits = len(pointers) == count + 1 and pointers[0] == 0 and pointers[-1] == end
    _need(bool(fits) and not np.any(pointers[1:] < pointers[:-1]), name, "does not ascend to its end")


def _check_predicates(arrays: Mapping[str, Array]) -> None:
    """Every guarded rule has wants, and each of them names a predicate."""
    try:
        predicates, reads = len(Strings(arrays, "predicates")), Strings(arrays, "reads")
        for position in range(len(reads)):
            reads[position].decode()
    except (BundleError, UnicodeDecodeError) as error:
        raise BundleError("index", f"predicates or what they read can't be read: {error}") from error
    guards, wants, guarded = arrays["guards"], arrays["wants"], arrays["guarded"]
    _need(arrays["reads.types"].shape == (len(reads),), "reads.types", "does not fit the names")
    _need(guarded.shape == (len(reads) + 1, len(arrays["everyone"])), "guarded", "does not fit the groups")
    _need(bool(np.all(guards[1:] > guards[:-1])), "guards", "does not ascend")
    _need(int(wants.max(initial=0)) < 2 * predicates or not len(wants), "wants", "names no predicate")
    _check_pointers(arrays["groups.of"], len(reads) + 1, predicates, "groups.of")
    _check_pointers(arrays["wants.of"], len(guards), len(wants), "wants.of")
    _check_pointers(arrays["users.of"], 2 * predicates, len(arrays["users"]), "users.of")


def _check_ranges(arrays: Mapping[str, Array], attributes: int) -> None:
    cuts, at = arrays["cuts"], arrays["checkpoints.at"]
    _check_pointers(arrays["cuts.of"], attributes, len(cuts), "cuts.of")
    _check_pointers(arrays["toggles.pointers"], len(cuts), len(arrays["toggles"]), "toggles.pointers")
    _check_pointers(arrays["checkpoints.of"], attributes, len(at), "checkpoints.of")
    _need(len(at) == len(arrays["checkpoints"]), "checkpoints.at", "does not fit the checkpoints")
    cuts_of, checkpoints_of = arrays["cuts.of"].tolist(), arrays["checkpoints.of"].tolist()
    for position in range(attributes):
        _check_range(
            cuts[cuts_of[position] : cuts_of[position + 1]],
            at[checkpoints_of[position] : checkpoints_of[position + 1]],
        )


def _check_range(cuts: Array, at: Array) -> None:
    """One attribute: cuts ascend (NaN never does), checkpoints ascend from the first segment."""
    _need(bool(np.all(cuts[1:] > cuts[:-1])) and not np.any(np.isnan(cuts)), "cuts", "do not ascend")
    if not len(at):
        _need(not len(cuts), "checkpoints.at", "lacks the first segment of an attribute with cuts")
        return
    fits = at[0] == 0 and at[-1] <= len(cuts) and np.all(at[1:] > at[:-1])
    _need(bool(fits), "checkpoints.at", "does not ascend within the segments")
