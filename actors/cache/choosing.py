"""Which embedder: a sentence model that is on this host, or hashed n-grams.

Nothing is fetched here: a start is no time for a download. `run.py fetch-embedder`
(`actors.cache.fetching`) brings the model; 'auto' takes it from then on.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.cache.embed import Embedder, EmbedderUnavailable, NgramEmbedder, SentenceEmbedder

BGE: Final = "BAAI/bge-small-zh-v1.5"

#: Where fetched models are kept, beside the speech models.
MODELS_FOLDER: Final = Path(__file__).parents[2] / "models"
BGE_FOLDER: Final = MODELS_FOLDER / BGE.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Chosen:
    """`problem`: why it is not the one that was asked for; '' when it is."""

    embedder: Embedder
    problem: str = ""

    @property
    def must_load(self) -> bool:
        """It needs seconds before it can be used."""
        return isinstance(self.embedder, SentenceEmbedder)


def choose(wanted: str, folder: Path = BGE_FOLDER) -> Chosen:
    """The embedder for the setting; looks at the disk, imports and loads no model."""
    if wanted == "hashed":
        return Chosen(NgramEmbedder())
    if wanted == "auto":
        found = _weights(folder) if _has_library() else None
        return Chosen(SentenceEmbedder(str(found), offline=True) if found else NgramEmbedder())
    if not _has_library():
        problem = f"{wanted} needs sentence-transformers: python3 run.py fetch-embedder brings it"
        return Chosen(NgramEmbedder(), problem)
    return Chosen(SentenceEmbedder(wanted, offline=True))


def load(chosen: Chosen) -> Chosen:
    """Load it now (blocks for seconds); n-grams in its place when that fails."""
    embedder = chosen.embedder
    if not isinstance(embedder, SentenceEmbedder):
        return chosen
    try:
        embedder.load()
        embedder.embed(["今天"])  # the first call compiles and warms
    except EmbedderUnavailable as error:
        return Chosen(NgramEmbedder(), str(error))
    return chosen


def is_whole(folder: Path) -> bool:
    """Whether it looks like a sentence-transformers model with its weights."""
    weights = ("model.safetensors", "pytorch_model.bin")
    return (folder / "modules.json").is_file() and any((folder / w).is_file() for w in weights)


def _weights(folder: Path) -> Path | None:
    """Where the model is on this host: fetched by us, or by others into the hub's own cache."""
    if is_whole(folder):
        return folder
    hub = importlib.import_module("huggingface_hub")
    cached = hub.try_to_load_from_cache(BGE, "modules.json")
    return (
        Path(cached).parent if isinstance(cached, str) and is_whole(Path(cached).parent) else None
    )


def _has_library() -> bool:
    return importlib.util.find_spec("sentence_transformers") is not None
