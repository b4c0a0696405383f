"""The rules of a workspace as a bundle would have them: nothing is trained or written for it."""

from collections import defaultdict
from pathlib import Path

from compiler.draft import Draft
from compiler.rules_manifest import draft_rules
from compiler.workspace import Workspace
from edge.bundle.format import Artifact
from edge.bundle.reader import Bundle, open_bundle, read_site
from origin.replay import MANIFEST
from origin.rules_view import View
from origin.validation import read_checked


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
    """The rules of a checked workspace, in memory; models and catalog are not there."""
    # What models and catalog provide is named in the rules' manifest, and nobody reads it there.
    draft = draft_rules(workspace, defaultdict(str))
    return View(_InMemory(draft, workspace.site.name))


class _InMemory(Bundle):
    """The rules alone, with nothing on disk."""

    def __init__(self, draft: Draft, site: str) -> None:
        super().__init__(Path(), {draft.role: draft.manifest(site)}, "")
        self._bodies = draft.bodies

    def read(self, artifact: Artifact) -> memoryview:
        return memoryview(self._bodies[artifact.sha256])
