"""The Vosk models: which one serves, and what it can and cannot understand.

Two are known by name: the tiny one in this repository, which understands eSpeak
NG's Mandarin and hardly any human, and the official small Chinese one, which an
operator fetches (`actors.workers.asr.fetching`). Standard library only, so that
the launcher can use it before anything is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: The tiny model with the static graph: half the CPU of the look-ahead one beside it.
TINY_FOLDER = Path(__file__).parent / "tiny" / "model-static"

#: eSpeak NG saying `PROBE_TEXT`, s16le at 16 kHz: what a probe has recognised.
PROBE_PCM = Path(__file__).parent / "tiny" / "probe.pcm"
PROBE_TEXT = "打开客厅的灯"

SMALL_NAME = "vosk-model-small-cn-0.22"

#: Where fetched models are kept.
MODELS_FOLDER = Path(__file__).parents[3] / "models"

TINY_LIMITS = (
    "tiny model: understands the synthetic voice of eSpeak NG (household sentences in "
    "Mandarin, 12 000 words); human speech and English fail. For people fetch "
    f"{SMALL_NAME}"
)
SMALL_LIMITS = "small Chinese model: human Mandarin, dictation without punctuation; no English"
OWN_LIMITS = "a model of the operator's choice: what it understands is not known here"


class ModelMissing(Exception):
    """There is no usable model; the text says where it was looked for, and the fix."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder, what it is called, and what it understands."""

    name: str
    folder: Path
    limits: str
    tiny: bool = False


def defects(folder: Path) -> list[str]:
    """Return what `folder` lacks of a Vosk model (none: it looks complete).

    The files are those that Vosk 0.3.45 opens: an acoustic model, its feature
    settings, and either one static graph or the pair for run-time grammars.
    Loading a folder without them ends the process or raises without a reason.
    """
    if not folder.is_dir():
        return ["the folder itself"]
    missing = [
        name
        for name in ("am/final.mdl", "conf/mfcc.conf", "conf/model.conf")
        if not _has(folder, name)
    ]
    graph = folder / "graph"
    if not _has(graph, "HCLG.fst") and not (_has(graph, "HCLr.fst") and _has(graph, "Gr.fst")):
        missing.append("graph/HCLG.fst (or graph/HCLr.fst with graph/Gr.fst)")
    return missing


def _has(folder: Path, name: str) -> bool:
    path = folder / name
    return path.is_file() and path.stat().st_size > 0


def find(model: str, models_folder: Path = MODELS_FOLDER) -> Model:
    """Return the model that the setting names; `ModelMissing` when there is none.

    'auto': the small Chinese model when it was fetched, else the tiny one; 'tiny';
    anything else is a folder, absolute or beside the models that were fetched.
    """
    tiny = Model("tiny", TINY_FOLDER, TINY_LIMITS, tiny=True)
    small = Model(SMALL_NAME, models_folder / SMALL_NAME, SMALL_LIMITS)
    if model == "auto":
        return tiny if defects(small.folder) else small
    if model == "tiny":
        chosen = tiny
    elif model == SMALL_NAME:
        chosen = small
    else:
        folder = Path(model).expanduser()
        folder = folder if folder.is_dir() or folder.is_absolute() else models_folder / model
        chosen = Model(folder.name, folder, OWN_LIMITS)
    missing = defects(chosen.folder)
    if missing:
        raise ModelMissing(
            f"asr model {model!r}: {chosen.folder} lacks {', '.join(missing)}; name a whole "
            "Vosk model folder, or 'auto', or 'tiny'"
        )
    return chosen
