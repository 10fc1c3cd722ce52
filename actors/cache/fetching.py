"""Fetching the sentence model of the answer cache, when an operator asks for it.

It comes into `models/` as a whole or not at all; from the next start on 'auto' finds it
there. The address is the hub's own; HF_ENDPOINT names another one to its library.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from pathlib import Path

from actors.cache.choosing import BGE, BGE_FOLDER, is_whole


class FetchFailed(Exception):
    """The model could not be fetched; the text says why and what would mend it."""


def fetch(name: str = BGE, folder: Path = BGE_FOLDER) -> Path:
    """Bring the model into `folder`; blocks while it downloads. Raises `FetchFailed`."""
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise FetchFailed(f"huggingface_hub cannot be imported ({error})") from None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as parts:
        try:
            hub.snapshot_download(name, local_dir=parts, ignore_patterns=["*.onnx", "onnx/*"])
        except Exception as error:  # its client raises whatever its many layers raise
            raise FetchFailed(
                f"{name} cannot be fetched ({type(error).__name__}: {str(error)[:300]}). Check the "
                f"network, or copy the model's files from another machine to {folder}"
            ) from None
        if not is_whole(Path(parts)):
            raise FetchFailed("what came is no sentence-transformers model: it lacks weights")
        shutil.rmtree(folder, ignore_errors=True)
        Path(parts).rename(folder)
        Path(parts).mkdir()  # for the context to remove
    return folder


def main() -> int:
    """For `run.py fetch-embedder`; return the exit code."""
    if is_whole(BGE_FOLDER):
        print(f"{BGE} is there already: {BGE_FOLDER}")
        return 0
    print(f"Fetching {BGE} (100 MB) …", file=sys.stderr)
    try:
        folder = fetch(BGE, BGE_FOLDER)
    except FetchFailed as error:
        print(f"{error}. Until then hashed n-grams serve.", file=sys.stderr)
        return 1
    print(f"{BGE} is in {folder}; the next start uses it.")
    return 0
