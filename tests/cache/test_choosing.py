"""Which embedder serves, what is said of it, and that nothing is fetched unasked."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from actors.cache import choosing, fetching
from actors.cache.choosing import choose, is_whole, load
from actors.cache.embed import NgramEmbedder, SentenceEmbedder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Something that looks like the model."""
    folder = tmp_path / "bge"
    folder.mkdir()
    (folder / "modules.json").write_text("[]")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """sentence-transformers can be found; the hub's own cache is empty."""
    spec = importlib.util.find_spec

    def found(name: str, *rest: Any) -> Any:
        return object() if name == "sentence_transformers" else spec(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    hub = types.ModuleType("huggingface_hub")
    hub.try_to_load_from_cache = lambda *_: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    return hub


def test_hashed_is_hashed(library: types.ModuleType) -> None:
    assert isinstance(choose("hashed").embedder, NgramEmbedder)


def test_auto_without_library_or_weights_is_hashed_and_no_problem(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    chosen = choose("auto", model)
    assert isinstance(chosen.embedder, NgramEmbedder)
    assert (chosen.problem, chosen.must_load) == ("", False)


def test_auto_takes_the_weights_that_are_here(library: types.ModuleType, model: Path) -> None:
    assert isinstance(choose("auto", model.parent / "none").embedder, NgramEmbedder)
    chosen = choose("auto", model)
    assert isinstance(chosen.embedder, SentenceEmbedder)
    assert chosen.embedder.name == str(model)
    assert chosen.must_load
    cached = str(model / "modules.json")
    library.try_to_load_from_cache = lambda *_: cached  # type: ignore[attr-defined]
    assert choose("auto", model.parent / "none").embedder.name == str(model)
    (model / "model.safetensors").unlink()
    assert not is_whole(model)
    assert isinstance(choose("auto", model).embedder, NgramEmbedder)


def test_a_named_model_needs_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    chosen = choose("owner/model")
    assert isinstance(chosen.embedder, NgramEmbedder)
    assert "fetch-embedder" in chosen.problem


def test_a_model_that_does_not_load_is_replaced_and_named(library: types.ModuleType) -> None:
    chosen = load(choose("./nowhere"))
    assert isinstance(chosen.embedder, NgramEmbedder)
    assert "./nowhere does not exist" in chosen.problem


class TestFetching:
    def hub(self, monkeypatch: pytest.MonkeyPatch, download: Any) -> None:
        hub = types.ModuleType("huggingface_hub")
        hub.snapshot_download = download  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "huggingface_hub", hub)

    def test_it_comes_as_a_whole(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def download(name: str, local_dir: str, **options: Any) -> None:
            (Path(local_dir) / "modules.json").write_text("[]")
            (Path(local_dir) / "pytorch_model.bin").write_bytes(b"weights")

        self.hub(monkeypatch, download)
        folder = tmp_path / "models" / "bge"
        assert fetching.fetch("owner/model", folder) == folder
        assert is_whole(folder)
        assert [path.name for path in folder.parent.iterdir()] == ["bge"]

    def test_without_a_network_it_says_what_to_do(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def download(*_: Any, **__: Any) -> None:
            raise OSError("Network is unreachable")

        self.hub(monkeypatch, download)
        monkeypatch.setattr(fetching, "BGE_FOLDER", tmp_path / "models" / "bge")
        assert fetching.main() == 1
        shown = capsys.readouterr().err
        assert "Network is unreachable" in shown
        assert "n-grams serve" in shown
        assert list((tmp_path / "models").iterdir()) == []

    def test_half_a_model_is_none(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.hub(monkeypatch, lambda *_, **__: None)
        with pytest.raises(fetching.FetchFailed, match="lacks weights"):
            fetching.fetch("owner/model", tmp_path / "bge")
        assert list(tmp_path.iterdir()) == []

    def test_what_is_there_is_not_fetched_again(
        self, monkeypatch: pytest.MonkeyPatch, model: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(fetching, "BGE_FOLDER", model)
        assert fetching.main() == 0
        assert "there already" in capsys.readouterr().out


def test_the_default_place_is_beside_the_other_models() -> None:
    assert choosing.BGE_FOLDER.parent.name == "models"
