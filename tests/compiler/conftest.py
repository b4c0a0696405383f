"""A small workspace and its bundle, compiled once."""

from pathlib import Path

import pytest

from tests.workspaces.make import make_bundle, make_workspace


@pytest.fixture
def workspace_dir(tmp_path: Path) -> Path:
    """A fresh copy of the small workspace, to bend."""
    return make_workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace's bundle; only to be read."""
    return make_bundle(tmp_path_factory.mktemp("films"))
