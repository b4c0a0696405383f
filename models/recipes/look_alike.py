"""Ranks items by how much their pictures look like the picture of the last one viewed."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.content import picture_network
from models.content.picture_embeddings import embed_drawing, embed_picture
from models.content.pictures import read_picture
from models.data.interactions import Interactions
from models.graphs.neighbours import NEIGHBOURS, only_positive, quantize, strongest, sum_rows
from models.learn.cooccurrence import check_size
from models.recipes.also_viewed import newest_graph
from models.recipes.text_embeddings import reduce_rows
from models.settings import Choice, Number, Setting, Settings, Text
from models.trained import Progress, Scores, Trained

MAX_SVG_BYTES: Final = 1 << 20


class LookAlike:
    """Neighbours by picture: its edges (Dalal and Triggs 2005), colours and coarse look.

    Pictures are files of the workspace, read at compile time. A network may look at them as well
    (EfficientNet: Tan and Le 2019), and knows what is shown. Drawings (SVG) are compared by what they are
    drawn with.
    """

    name: Final = "look-alike"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "column": Text("image", "The catalog's column that names an item's picture."),
        "folder": Text("pictures", "The workspace's folder that the pictures are in."),
        "seen_by": Choice(
            "histograms",
            "What looks at pictures: histograms of edges and colours, or these and a network.",
            ("histograms", "network"),
        ),
        "factors": Number(64, "How many numbers stand for a picture.", 256, whole=True),
        "neighbours": NEIGHBOURS,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`; of the interactions, only the catalog's column is read."""
        check_size(self.name, len(items))
        paths = _paths(interactions, settings)
        rows, seen = _embed(paths, progress)
        if settings["seen_by"] == "network":
            rows = _with_network(rows, paths, progress)
        factors = reduce_rows(rows, int(settings["factors"]))
        alike = factors @ factors.T
        np.fill_diagonal(alike, 0.0)
        arrays = quantize(*strongest(np.maximum(alike, 0.0), int(settings["neighbours"])), len(items))
        progress("compare", 1.0)
        graph, card = newest_graph(self.name, len(items), arrays), {"pictures": seen}
        return Trained(self.name, items, graph, arrays, card, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; an item that looks nothing like the last one is not listed."""
        return only_positive(sum_rows(arrays, history[:, :1], weight[:, :1]))


def _paths(interactions: Interactions, settings: Settings) -> list[Path | None]:
    """The file of each item's picture, None where the catalog names none."""
    columns, name = interactions.item_columns, settings["column"]
    if name not in columns:
        near = difflib.get_close_matches(name, columns, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(columns) or 'none'}"
        raise GivenError("catalog", f"the catalog has no column {name!r} of pictures; {hint}")
    folder = ((interactions.folder or Path()) / settings["folder"]).resolve()
    return [
        _path(folder, item, text) for item, text in zip(interactions.item_ids, columns[name], strict=True)
    ]


def _path(folder: Path, item: str, text: str) -> Path | None:
    if not text:
        return None
    path = (folder / text.lstrip("/")).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise GivenError("picture", f"item {item!r}: there is no picture {text!r} in {folder}")
    return path


def _embed(paths: list[Path | None], progress: Progress) -> tuple[NDArray[np.float64], str]:
    """A row per item, of zeros without a picture, and a hash of all pictures."""
    found, hashes = [], []
    drawings = {path for path in paths if path is not None and path.suffix.lower() == ".svg"}
    if drawings and len(drawings) < sum(path is not None for path in paths):
        some = min(map(str, drawings))
        raise GivenError("picture", f"{some}: is a drawing, and others are pictures; they can't be compared")
    for number, path in enumerate(paths, 1):
        hashes.append(fmt.digest(path.read_bytes()) if path else "")
        found.append(_row(path, path in drawings) if path else None)
        progress("embed", 0.5 * number / len(paths))
    width = next((len(row) for row in found if row is not None), 1)
    rows = [np.zeros(width) if row is None else row for row in found]
    return np.array(rows), fmt.digest("".join(hashes).encode())


def _with_network(
    rows: NDArray[np.float64], paths: list[Path | None], progress: Progress
) -> NDArray[np.float64]:
    drawing = next((path for path in paths if path is not None and path.suffix.lower() == ".svg"), None)
    if drawing is not None:
        raise GivenError(
            "picture", f"{drawing}: is a drawing, which no network sees; say seen_by: histograms"
        )
    seen = picture_network.embed(paths, lambda share: progress("look", 0.5 + 0.4 * share))
    return beside(seen, rows)


def beside(seen: NDArray[np.float32], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a network sees and what histograms tell, each of them as long as the other."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return np.hstack([seen, rows / lengths])


def _row(path: Path, drawing: bool) -> NDArray[np.float64]:
    if not drawing:
        return embed_picture(read_picture(path))
    data = path.read_bytes()
    if len(data) > MAX_SVG_BYTES:
        raise GivenError("picture", f"{path}: {len(data)} bytes, more than {MAX_SVG_BYTES}")
    return embed_drawing(data.decode("utf-8", "replace"))
