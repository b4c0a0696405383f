"""What the commands about revisions, rollouts, PoPs and differences print."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from origin.commands.shown import json_document, new_table, out, replayed

if TYPE_CHECKING:  # each command loads only what it needs
    from edge.bundle.format import Rollout
    from edge.keys import EdgeKeys
    from origin.diff.bundles import BundleDiff
    from origin.lake.replay import Findings
    from origin.wire import PopEntry, RevisionDetail, RevisionEntry, RolloutEntry, StockEntry

MANY: int = 3
MANY_ITEMS: int = 50
"""Lines of a subject in a short diff."""


def rollout(current: "Rollout | None", entries: "Sequence[RevisionEntry]") -> None:
    """Print the rollout in force and the newest revisions."""
    if current is None:
        out.print("nothing is rolled out")
    else:
        killed = ", ".join(current.kill) or "none"
        out.print(f"rollout {current.serial}: {_pops(current.pops)}; killed: {killed}")
    revisions(entries, as_json=False)


def revisions(entries: "Sequence[RevisionEntry]", *, as_json: bool) -> None:
    """Print revisions, newest first."""
    if as_json:
        json_document(msgspec.to_builtins(entries))
        return
    if not entries:
        out.print("there is no revision yet; make one with `nearside publish`")
        return
    shown = new_table("revision", "serves", "when (UTC)", "author", "reason", "bytes", "bundle")
    for entry in entries:
        shown.add_row(
            str(entry.number),
            _serves(entry.pops),
            _when(entry.created_ms),
            entry.author,
            entry.reason,
            f"{entry.bytes:,}",
            entry.bundle[:12],
        )
    out.print(shown)


def revision(entry: "RevisionDetail", *, as_json: bool) -> None:
    """Print a revision with its manifests."""
    if as_json:
        json_document(msgspec.to_builtins(entry))
        return
    out.print(f"revision {entry.number}, bundle {entry.bundle}: {entry.bytes:,} bytes")
    out.print(f"by {entry.author} at {_when(entry.created_ms)} UTC: {entry.reason or '(no reason given)'}")
    out.print(f"serves: {_serves(entry.pops) or 'no PoP'}")
    shown = new_table("role", "artifact", "kind", "bytes", "sha256")
    for role, manifest in entry.manifests.items():
        for artifact in manifest.artifacts:
            shown.add_row(role, artifact.name, artifact.kind, f"{artifact.size:,}", artifact.sha256[:12])
    out.print(shown)
    for role, manifest in entry.manifests.items():
        out.print(f"{role} manifest {manifest.sha256[:12]}, signed by {', '.join(manifest.signed_by)}")


def rollouts(entries: "Sequence[RolloutEntry]", *, as_json: bool) -> None:
    """Print the history of rollouts, the one in force first, each with what it changed."""
    if as_json:
        json_document(msgspec.to_builtins(entries))
        return
    if not entries:
        out.print("nothing was rolled out yet")
        return
    shown = new_table("rollout", "what", "when (UTC)", "author", "reason")
    for entry, before in zip(entries, [*entries[1:], None], strict=True):
        when = _when(entry.created_ms)
        shown.add_row(str(entry.serial), _change(entry, before), when, entry.author, entry.reason)
    out.print(shown)


def stock(gone: "Sequence[str]", entries: "Sequence[StockEntry]", *, as_json: bool) -> None:
    """Print what is out of stock, and the last changes."""
    if as_json:
        json_document({"out": list(gone), "changes": msgspec.to_builtins(entries)})
        return
    if not entries:
        out.print("nothing was ever out of stock; say it with `nearside stock set`")
        return
    more = f", and {len(gone) - MANY_ITEMS:,} more" if len(gone) > MANY_ITEMS else ""
    out.print(f"{len(gone):,} out of stock: {', '.join(gone[:MANY_ITEMS])}{more}" if gone else "all in stock")
    shown = new_table("stock", "out", "back", "when (UTC)", "author", "reason")
    for entry in entries[:MANY_ITEMS]:
        changed = f"{entry.out:,}", f"{entry.back:,}"
        shown.add_row(str(entry.serial), *changed, _when(entry.created_ms), entry.author, entry.reason)
    out.print(shown)


def pops(entries: "Sequence[PopEntry]", *, as_json: bool) -> None:
    """Print PoPs."""
    if as_json:
        json_document(msgspec.to_builtins(entries))
        return
    if not entries:
        out.print("no PoP was heard yet; make one a credential with `nearside pops add NAME`")
        return
    shown = new_table("pop", "credential", "listens", "last heard (UTC)", "last events (UTC)", "revision")
    for entry in entries:
        shown.add_row(
            entry.name,
            entry.credential,
            "yes" if entry.connected else "no",
            _when(entry.seen_ms),
            _when(entry.shipped_ms),
            str(entry.revision or "none"),
        )
    out.print(shown)


def diff(found: "BundleDiff", pages: "Findings | None", *, as_json: bool) -> None:
    """Print what changes from one bundle to another, and whose pages."""
    if as_json:
        json_document(_document(found, pages))
        return
    _changes(found, limit=None)
    total = sum(found.download_bytes.values())
    parts = ", ".join(f"{role} {size:,}" for role, size in found.download_bytes.items())
    out.print(f"an edge downloads {total:,} bytes ({parts})")
    share = f"{found.changed_contexts} of {found.contexts} sample contexts"
    out.print(f"in {share} another campaign wins a placement", soft_wrap=True)
    if pages is None:
        out.print("--log says for how many requests of a log the page changes")
    else:
        replayed(pages)


def short_diff(found: "BundleDiff | None") -> None:
    """Print the first lines of what publishing changes."""
    if found is None:
        out.print("this is the first bundle that is rolled out")
        return
    if not found.changes:
        out.print("it says the same as the bundle in force")
        return
    out.print("against the bundle in force:")
    _changes(found, limit=MANY)


def rotated(path: Path, keys: "EdgeKeys", *, dropped: bool) -> None:
    """Say what a rotation did, and what to do next."""
    for kind, held in (("cookie", keys.cookie), ("event", keys.event)):
        ids = ", ".join(str(key.id) for key in held[1:]) or "none"
        out.print(f"{kind} key {held[0].id} seals; older ones that still open: {ids}")
    out.print(f"{path} is written. Next:")
    if dropped:
        out.print("  give it to every PoP and restart nearside-edge (SIGHUP does it without a pause)")
        return
    for line in (
        "1. give it to every PoP and restart nearside-edge (SIGHUP does it without a pause); quickly: a",
        "   PoP without the new keys can't open what others seal, and takes their visitors for new ones",
        "2. wait until no old cookie or page matters: pages report events for --token-lifetime-s (2 hours),",
        "   cookies of visitors who come seldom live for --cookie-lifetime-s (180 days)",
        f"3. nearside keys rotate {path} --drop-old, and give the file to every PoP again",
    ):
        out.print(f"  {line}", soft_wrap=True)


def _changes(found: "BundleDiff", limit: int | None) -> None:
    if not found.changes:
        out.print("nothing changes that a visitor could see")
    for subject, lines in found.changes.items():
        shown = lines[:limit]
        out.print(f"{subject}:")
        for line in shown:
            out.print(f"  {line}", soft_wrap=True)
        if len(shown) < len(lines):
            out.print(f"  … {len(lines) - len(shown)} more: see `nearside diff`")


def _document(found: "BundleDiff", pages: "Findings | None") -> dict[str, Any]:
    document = found.document()
    if pages is not None and pages.against is not None:
        document["log"] = {
            "requests": pages.against.decided,
            "changed": pages.against.different,
            "unrecorded": list(pages.unrecorded),
            "by_placement": [
                {"placement": placement, "before": before, "after": after, "requests": count}
                for (placement, before, after), count in pages.against.by_placement.most_common()
            ],
        }
    return document


def _change(entry: "RolloutEntry", before: "RolloutEntry | None") -> str:
    """What a rollout changed, in words; all that it says where the one before is not known."""
    if before is None:
        return _pops(entry.pops) + (f"; killed {', '.join(entry.kill)}" if entry.kill else "")
    parts = [
        f"{_name(pop)}: {before.pops.get(pop, '')} → {number}".replace(":  →", " →")
        for pop, number in sorted(entry.pops.items())
        if before.pops.get(pop) != number
    ]
    parts += [f"{_name(pop)} named no more" for pop in sorted(before.pops.keys() - entry.pops.keys())]
    parts += _listed("killed", set(entry.kill) - set(before.kill))
    parts += _listed("on again:", set(before.kill) - set(entry.kill))
    return "; ".join(parts) or f"the same again ({_pops(entry.pops)})"


def _listed(word: str, names: Iterable[str]) -> list[str]:
    names = sorted(names)
    return [f"{word} {', '.join(names)}"] if names else []


def _pops(pops: dict[str, int]) -> str:
    return ", ".join(f"{pop}: revision {number}" for pop, number in sorted(pops.items()))


def _serves(names: Sequence[str]) -> str:
    return ", ".join(map(_name, names))


def _name(pop: str) -> str:
    return "all others" if pop == "*" else pop


def _when(at_ms: int) -> str:
    """UTC, to the second; "never" for 0."""
    if not at_ms:
        return "never"
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
