"""The rules of a workspace as a bundle would have them: nothing is trained or written for it."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from compiler.draft import Draft
from compiler.predictions.manifest import put_predictions
from compiler.problems import Problems
from compiler.rules.manifest import draft_rules
from compiler.workspace import Workspace
from edge.bundle.format import Artifact
from edge.bundle.reader import Bundle, open_bundle, read_site
from origin.explain.rules_view import View
from origin.lake.replay import MANIFEST
from origin.training.predictions import load_predictions
from origin.training.validation import read_checked


def open_rules(path: Path) -> View:
    """The rules of a bundle folder, or of a workspace.

    Raises
    ------
    WorkspaceError
        The workspace can't be compiled.
    BundleError
        The bundle is damaged.
    """
    if (path / MANIFEST).is_file():
        return View(open_bundle(path, read_site(path)))
    return preview(read_checked(path))


def preview(workspace: Workspace) -> View:
    """The rules of a checked workspace, in memory; recommenders and catalog are not there.

    Predictions are, as far as all of them are trained and up to date.
    """
    # What models and catalog provide is named in the rules' manifest, and nobody reads it there.
    rules, models = draft_rules(workspace, defaultdict(str)), Draft("models")
    put_predictions(models, workspace, load_predictions(workspace), Problems())
    return View(_InMemory((rules, models), workspace.site.name))


class _InMemory(Bundle):
    """Rules and predictions, with nothing on disk."""

    def __init__(self, drafts: Iterable[Draft], site: str) -> None:
        held = {draft.role: draft for draft in drafts}
        super().__init__(Path(), {role: draft.manifest(site) for role, draft in held.items()}, "")
        self._bodies = {name: body for draft in held.values() for name, body in draft.bodies.items()}

    def read(self, artifact: Artifact) -> memoryview:
        return memoryview(self._bodies[artifact.sha256])
