"""The probability that a 32 ms window holds speech, by Silero's network.

Only the model file is taken from the package `silero-vad`: the package itself
needs torch, onnxruntime alone runs the file. `load` makes the one session of a
process: one thread, no spinning. Such a session owns no threads, so one loaded
before a fork serves every child and its memory is shared.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 16000
WINDOW_SAMPLES: Final = 512
#: The network also sees the end of the window before.
_CONTEXT_SAMPLES: Final = 64

#: The same network in several exports, the fastest for one window first: its input
#: is fixed at [1, 576]; the others take any batch, some also 8 kHz (input `sr`).
_FILES: Final = ("silero_vad_openvino_16k.onnx", "silero_vad_16k_op15.onnx", "silero_vad.onnx")


class VoiceActivityUnavailable(Exception):
    """The model cannot be had; the text says what to install."""


def _model_path() -> Path:
    # Asking for the folder does not import the package, so torch is not needed.
    spec = importlib.util.find_spec("silero_vad")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    for name in _FILES:
        for place in places:
            path = Path(place) / "data" / name
            if path.is_file():
                return path
    raise VoiceActivityUnavailable(
        "the voice activity model is missing: pip install --no-deps silero-vad==6.2.3"
    )


@functools.cache
def _session() -> Any:
    path = _model_path()
    try:
        import onnxruntime
    except ImportError as error:
        raise VoiceActivityUnavailable(
            f"onnxruntime cannot be imported ({error}): pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3  # its warnings are about the export, not about us
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises classes of its own, without a base
        raise VoiceActivityUnavailable(
            f"the voice activity model {path.name} cannot be loaded ({error}): "
            "pip install --no-deps --force-reinstall silero-vad==6.2.3"
        ) from error


def load() -> None:
    """Load the model and run it once; call before a fork so that children share it."""
    VoiceActivity().probability(np.zeros(WINDOW_SAMPLES, np.int16))


class VoiceActivity:
    """One stream's state; the network behind it is shared.

    Raise `VoiceActivityUnavailable` when there is no model.
    """

    def __init__(self) -> None:
        self._session = _session()
        self._input = np.zeros((1, _CONTEXT_SAMPLES + WINDOW_SAMPLES), np.float32)
        names = {given.name for given in self._session.get_inputs()}
        self._feed: dict[str, Any] = {"input": self._input}
        if "sr" in names:
            self._feed["sr"] = np.array(RATE_HZ, np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard: the next window is the first of a stream."""
        self._input.fill(0.0)
        self._feed["state"] = np.zeros((2, 1, 128), np.float32)

    def probability(self, window: NDArray[np.int16]) -> float:
        """Take the next int16[512] at 16 kHz; return 0.0 to 1.0."""
        if window.shape != (WINDOW_SAMPLES,):
            raise ValueError(f"window is {list(window.shape)}: [{WINDOW_SAMPLES}] is expected")
        row = self._input[0]
        row[:_CONTEXT_SAMPLES] = row[-_CONTEXT_SAMPLES:]
        np.multiply(window, np.float32(1 / 32768), out=row[_CONTEXT_SAMPLES:])
        probability, state = self._session.run(None, self._feed)
        self._feed["state"] = state
        return float(probability[0, 0])
