"""Embedders and the search among vectors."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from actors.cache.embed import EmbedderUnavailable, NgramEmbedder, SentenceEmbedder
from actors.cache.neighbours import Neighbours
from actors.cache.vectors import Vectors


def units(rows: int, dimensions: int) -> np.ndarray:
    made = np.random.default_rng(1).standard_normal((rows, dimensions)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_ngrams_are_unit_vectors_and_always_the_same() -> None:
    rows = NgramEmbedder().embed(["打开客厅的灯", "turn on the light", ""])
    assert rows.shape == (3, 512)
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 0], abs=1e-6)
    assert np.array_equal(rows, NgramEmbedder().embed(["打开客厅的灯", "turn on the light", ""]))


def test_ngrams_find_other_wordings_of_the_same_words() -> None:
    asked, same, other = NgramEmbedder().embed(["大象吃什么", "大象都吃什么呢", "黑洞是什么"])
    assert asked @ same > 0.5 > asked @ other


@pytest.mark.parametrize("dimensions", [64, 100, 384, 512])
def test_the_nearest_is_found_among_thousands(dimensions: int) -> None:
    stored = units(3000, dimensions)
    vectors = Vectors(dimensions, 3000)
    for slot, row in enumerate(stored):
        vectors.set(slot, row, 0)
    for slot in range(0, 3000, 250):
        near = stored[slot] + 0.02 * stored[(slot + 1) % 3000]
        found = vectors.nearest(near / np.linalg.norm(near), 0, 3, 0.5)
        assert found[0][0] == slot
        assert found[0][1] == pytest.approx(1.0, abs=0.01)


def test_groups_do_not_see_each_other() -> None:
    vectors = Vectors(64, 10)
    row = units(1, 64)[0]
    vectors.set(0, row, 0)
    vectors.set(1, row, 1)
    assert [slot for slot, _ in vectors.nearest(row, 1, 8, 0.0)] == [1]
    vectors.clear(1)
    assert vectors.nearest(row, 1, 8, 0.0) == []


def test_no_slot_beyond_the_capacity() -> None:
    with pytest.raises(IndexError, match="capacity of 4"):
        Vectors(64, 4).set(4, units(1, 64)[0], 0)


def test_slots_and_places_are_used_again() -> None:
    row = units(1, 64)[0]
    neighbours = Neighbours(64, 2)
    for number in range(50):
        neighbours.put(f"id{number}", row, ("scope", f"context {number}"))
        assert (
            neighbours.nearest(row, ("scope", f"context {number}"), 3, 0.5)[0][0] == f"id{number}"
        )
        neighbours.remove(f"id{number}")
    assert len(neighbours) == 0
    assert neighbours.nearest(row, ("scope", "context 49"), 3, 0.0) == []


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A stand-in for sentence-transformers and torch, which are not installed here."""

    class Model:
        def __init__(self, where: str, device: str, local_files_only: bool) -> None:
            if where == "owner/missing":
                raise OSError("no network")
            self.where, self.device, self.offline = where, device, local_files_only

        def get_sentence_embedding_dimension(self) -> int:
            return 4

        def encode(self, texts: list[str], **options: bool) -> np.ndarray:
            assert options["normalize_embeddings"]
            return np.eye(4)[: len(texts)]

    module = types.ModuleType("sentence_transformers")
    module.SentenceTransformer = Model  # type: ignore[attr-defined]
    torch = types.ModuleType("torch")
    torch.set_num_threads = lambda threads: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return module


def test_a_sentence_model_is_loaded_at_its_first_use(library: types.ModuleType) -> None:
    embedder = SentenceEmbedder()
    assert embedder.name == "BAAI/bge-small-zh-v1.5"
    assert embedder.threshold == 0.85
    assert embedder.embed(["甲", "乙"]).dtype == np.float32
    assert embedder.dimensions == 4


def test_a_missing_folder_says_what_to_do(library: types.ModuleType) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"folder \./nowhere does not exist: put"):
        SentenceEmbedder("./nowhere").load()


def test_a_model_that_does_not_load_says_why(library: types.ModuleType) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"no network.*n-gram"):
        SentenceEmbedder("owner/missing").embed(["甲"])


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(EmbedderUnavailable, match="pip install sentence-transformers"):
        SentenceEmbedder().load()
