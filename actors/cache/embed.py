"""Texts as vectors, so that questions worded alike can be found among many.

Two embedders behind one interface. `NgramEmbedder` is pure and always there: hashed
character n-grams and words. `SentenceEmbedder` runs a sentence-transformers model
(BAAI/bge-small-zh-v1.5 or the operator's), loaded at its first use from a folder
or by its hub name; where it cannot be had it raises `EmbedderUnavailable`, which
says why and what would mend it. Similarity is the dot product of unit vectors.

A vector only proposes candidates. Each embedder states the similarity above which
it does; how the figure was calibrated is in the measurement of `tests.cache.quality`.
"""

from __future__ import annotations

import hashlib
import importlib
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from actors.cache.canonical import canonical
from actors.cache.libraries import words

Vectors = NDArray[np.float32]


class EmbedderUnavailable(Exception):
    """The embedder cannot be used; the text says why and what to do."""


class Embedder(Protocol):
    """What the index needs. `name` and `dimensions` identify the vector space."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def threshold(self) -> float:
        """Cosine from which a stored question is worth judging."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, one row a text; a text without words gives a row of zeros."""
        ...


class NgramEmbedder:
    """Hashed n-grams (1–3 characters) and canonical words of the normalised text.

    About 0.2 ms a text. Each feature adds its weight with a sign of its own to one
    of `dimensions` sums, so that collisions cancel out on average. Similarity is of
    spelling: it finds other wordings of the same words, and no synonyms but ours.
    """

    def __init__(self, dimensions: int = 512, threshold: float = 0.35) -> None:
        self._dimensions = dimensions
        self._threshold = threshold

    @property
    def name(self) -> str:
        return f"ngrams-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def threshold(self) -> float:
        return self._threshold

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for feature, weight in _features(text).items():
                place, sign = _hashed(feature, self._dimensions)
                row[place] += sign * weight
            length = float(np.linalg.norm(row))
            if length > 0:
                row /= length
        return rows


def _features(text: str) -> dict[str, float]:
    form = canonical(text)
    plain = form.text.replace(" ", "_")
    counted: Counter[str] = Counter()
    for size in (1, 2, 3):
        for at in range(len(plain) - size + 1):
            counted[f"{size}:{plain[at : at + size]}"] += 1
    counted.update(f"w:{word}" for word in (*words(form.text), *form.parts))
    return {feature: 1.0 + math.log(count) for feature, count in counted.items()}


def _hashed(feature: str, dimensions: int) -> tuple[int, float]:
    digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
    return digest % dimensions, 1.0 if digest >> 63 else -1.0


#: Calibrated by the models' published scores; an unknown model gets the plan's figure.
_THRESHOLDS: Final = {"bge": 0.85, "minilm": 0.80, "m3e": 0.85, "gte": 0.85}


class SentenceEmbedder:
    """A sentence-transformers model; `where` is a folder or a name on the hub.

    Nothing is imported or loaded before the first `load()` or `embed()`: torch and
    the library take about 6.5 s and 530 MB. `offline` never asks the hub.
    """

    def __init__(
        self, where: str = "BAAI/bge-small-zh-v1.5", *, offline: bool = False, threads: int = 1
    ) -> None:
        self._where = where
        self._offline = offline
        self._threads = threads
        self._model: Any = None
        self._dimensions = 0

    @property
    def name(self) -> str:
        return self._where

    @property
    def dimensions(self) -> int:
        self.load()
        return self._dimensions

    @property
    def threshold(self) -> float:
        lowered = self._where.lower()
        return next((value for part, value in _THRESHOLDS.items() if part in lowered), 0.85)

    def load(self) -> None:
        """Load the model now. Raises EmbedderUnavailable."""
        if self._model is not None:
            return
        looks_local = self._where.startswith((".", "/", "~")) or Path(self._where).is_absolute()
        if looks_local and not Path(self._where).expanduser().is_dir():
            raise EmbedderUnavailable(
                f"the embedding model's folder {self._where} does not exist: put the model there,"
                " or name one on the hub, or choose the n-gram embedder"
            )
        try:
            library = importlib.import_module("sentence_transformers")
            torch = importlib.import_module("torch")
        except ImportError as error:
            raise EmbedderUnavailable(
                f"sentence-transformers cannot be imported ({error}): install it with"
                " pip install sentence-transformers, or choose the n-gram embedder"
            ) from error
        torch.set_num_threads(self._threads)
        try:
            model = library.SentenceTransformer(
                str(Path(self._where).expanduser()) if looks_local else self._where,
                device="cpu",
                local_files_only=self._offline,
            )
            self._dimensions = int(model.get_sentence_embedding_dimension() or 0)
        except Exception as error:  # the library raises whatever its many loaders raise
            raise EmbedderUnavailable(
                f"the embedding model {self._where} cannot be loaded ({error}): without a network"
                " put it into a folder and name that, or choose the n-gram embedder"
            ) from error
        self._model = model

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.load()
        rows = self._model.encode(
            list(texts), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(rows, dtype=np.float32)
