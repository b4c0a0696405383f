"""Documents as their readers find them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def docs() -> Path:
    """The folder of the documents."""
    return ROOT / "docs"
