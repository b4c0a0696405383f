"""Compiles a checked workspace into a bundle folder: whole and verified, or not at all."""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from compiler.catalog.manifest import draft_catalog
from compiler.draft import Draft
from compiler.models.manifest import Trained, draft_models, listed_contexts, max_history
from compiler.models.recall import sure_shortlists
from compiler.predictions.manifest import UNTRAINED, Predicted, put_predictions
from compiler.problems import Problem, Problems, WorkspaceError
from compiler.recommenders.parts import compile_recommenders, golden_pools
from compiler.report import Report, report_path
from compiler.rules.list_trial import Trial, try_lists
from compiler.rules.manifest import draft_rules
from compiler.types import IdList, Workspace
from edge.bundle import format as fmt
from edge.bundle.certificate import Certificate, load_certificate
from edge.bundle.reader import Bundle, open_bundle
from edge.decide import golden

Timings = dict[str, float]


def compile_workspace(
    workspace: Workspace, trained: Mapping[str, Trained], out: Path, predictions: Predicted = UNTRAINED
) -> Report:
    """Write the bundle folder `out` and, beside it, its report.

    Parameters
    ----------
    trained
        The workspace's recommenders by name.
    out
        Made anew, or replaced if it is a bundle; it changes only when the new
        bundle is whole and its golden decisions hold.
    predictions
        The workspace's predictions by name.

    Raises
    ------
    WorkspaceError
        A card fails for an item, a model is missing or stale, or `out` is something else.
    BundleError
        ``golden``, ``lists``: the edge's runtime answers differently than the references, or than
        stated. That is a defect of the compiler or of a library, not of the workspace.
    """
    _check_target(out)
    timings: Timings = {}
    problems = Problems()
    with _timed(timings, "catalog"):
        catalog = draft_catalog(workspace, problems)
    with _timed(timings, "models"):
        trained = sure_shortlists(workspace, trained, problems)
        parts = compile_recommenders(workspace, trained, problems)
        models = draft_models(workspace, trained, catalog.provides["items"], problems, parts)
        put_predictions(models, workspace, predictions, problems)
        problems.raise_errors()
        if parts.rules.finishes:
            longest, known = max_history(workspace, trained, parts), listed_contexts(workspace, parts)
            parts.put_catalog(catalog, golden_pools(workspace, trained, parts, longest, known))
    with _timed(timings, "rules"):
        rules = draft_rules(workspace, {**catalog.provides, **models.provides}, parts)
    manifests = {draft.role: draft.manifest(workspace.site.name) for draft in (rules, models, catalog)}
    drafts, lists = [rules, models, catalog], workspace.site.lists
    laid = _lay_down(out, drafts, manifests, lists, timings)
    warnings = tuple(sorted({*workspace.warnings, *problems.warnings}))
    site, counts = workspace.site.name, _counts(workspace)
    report = Report(
        site, laid.bundle, manifests, counts, timings, laid.golden, warnings, laid.lists, laid.certificate
    )
    report_path(out).write_text(report.json(), encoding="utf-8")
    return report


class _Laid(NamedTuple):
    """A bundle's id, and what its verification counted."""

    bundle: str
    golden: dict[str, int]
    lists: dict[str, Trial]
    certificate: Certificate | None


def _lay_down(
    out: Path,
    drafts: list[Draft],
    manifests: Mapping[str, fmt.Manifest],
    lists: Iterable[IdList],
    timings: Timings,
) -> _Laid:
    """Write beside `out`, verify what was written, and only then take its place."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        with _timed(timings, "write"):
            _write(folder, drafts, manifests)
        with _timed(timings, "verify"):
            bundle = open_bundle(folder, manifests["rules"].site)
            counts, certificate = verify_golden(bundle), load_certificate(bundle)
            laid = _Laid(bundle.id, counts, try_lists(bundle, lists), certificate)
        _replace(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return laid


def verify_golden(bundle: Bundle) -> dict[str, int]:
    """Run the bundle's golden decisions on the edge's runtime; how many there are by role.

    Raises
    ------
    BundleError
        ``golden``: an answer differs.
    """
    contexts, histories = golden.check(bundle)
    return {"contexts": contexts, "histories": histories}


@contextmanager
def _timed(timings: Timings, name: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    timings[name] = round((time.perf_counter() - begin) * 1000, 1)


def _counts(workspace: Workspace) -> dict[str, int]:
    shows = workspace.shows()
    page = {name: len({*map(attrgetter(name[:-1]), shows)} - {""}) for name in ("layouts", "redirects")}
    return {
        "placements": len(workspace.site.placements),
        "attributes": len(workspace.site.attributes),
        "audiences": len(workspace.audiences),
        "campaigns": len(workspace.campaigns),
        "experiments": len(workspace.experiments),
        "bandits": len(workspace.bandits),
        "contents": len(workspace.contents),
        "items": len(workspace.catalog.items),
        "cards": len(workspace.cards),
        "models": len(workspace.models) + len(workspace.predictions),
        **({"recommenders": len(workspace.recommenders)} if workspace.recommenders else {}),
        **{name: count for name, count in page.items() if count},
    }


def _check_target(out: Path) -> None:
    """Refuse to replace what is no bundle: a mistyped path must not cost a folder."""
    if not out.exists() and not out.is_symlink():
        return
    is_bundle = out.is_dir() and all((out / f"{role}.manifest").is_file() for role in fmt.ROLES)
    if out.is_symlink() or not (is_bundle or (out.is_dir() and not any(out.iterdir()))):
        message = "is there already, and is no bundle"
        raise WorkspaceError([Problem(str(out), 0, "bad-value", message, "name a new folder, or a bundle")])


def _write(folder: Path, drafts: list[Draft], manifests: Mapping[str, fmt.Manifest]) -> None:
    folder.chmod(0o755)
    artifacts = folder / "artifacts"
    artifacts.mkdir()
    for draft in drafts:
        for sha256, body in draft.bodies.items():
            (artifacts / sha256).write_bytes(body)
    for role, manifest in manifests.items():
        (folder / f"{role}.manifest").write_bytes(fmt.encode(manifest))


def _replace(folder: Path, out: Path) -> None:
    if not out.exists():
        folder.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    out.rename(old)
    folder.rename(out)
    shutil.rmtree(old)
