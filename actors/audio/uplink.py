"""From a device's samples to utterances: what the session's ears promise.

Samples are cut into windows of 32 ms. An energy gate sees every window; the voice
activity model only those where something is louder than the room, those of an open
utterance, and a short hang-over. Time is counted in samples and nothing else, so a
wake word that arrives faster than real time is heard like any other speech.

The uplink says when speech began, paused and went on. It does not decide that an
utterance is over: the session asks the `Endpointer` at each `Silence` and then calls
`end()`. A list of events was made before the caller saw its first: after `end()` or
`reset()` drop the rest of the list, at most one packet's; its samples are kept as
pre-roll.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from actors.audio.gate import EnergyGate
from actors.audio.silero import RATE_HZ, WINDOW_SAMPLES, VoiceActivity
from cfg.model import Listening

Pcm = NDArray[np.int16]

WINDOW_MS = WINDOW_SAMPLES * 1000 // RATE_HZ
#: Speech is left below the threshold less this, so that it does not flicker.
_HYSTERESIS = 0.15
#: The model stays awake so long after the gate closed: a word may begin softly.
_HANGOVER_WINDOWS = 10
#: When it wakes it is shown these windows first, to know what came before.
_WARMUP_WINDOWS = 3
#: So much speech ends a pause; a single window may be a click.
_RESUME_WINDOWS = 2
#: The model lets go of speech up to so many windows late; see `_quiet`.
_LAG_WINDOWS = 5


@dataclass(frozen=True, slots=True, eq=False)
class SpeechStarted:
    """An utterance opened. `pcm` holds the pre-roll and the speech until now."""

    pcm: Pcm


@dataclass(frozen=True, slots=True, eq=False)
class SpeechContinued:
    """The next samples of the open utterance, its pauses included, without a gap."""

    pcm: Pcm


@dataclass(frozen=True, slots=True)
class Silence:
    """The open utterance has been silent for `silence_ms` by now; one for each window."""

    silence_ms: int


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """Speech goes on in the open utterance after `pause_ms` of silence."""

    pause_ms: int


UplinkEvent = SpeechStarted | SpeechContinued | Silence | SpeechResumed


class SpeechModel(Protocol):
    """What the uplink needs of `VoiceActivity`."""

    def probability(self, window: Pcm) -> float: ...

    def reset(self) -> None: ...


@dataclass(frozen=True, slots=True)
class UplinkStatistics:
    """Counts since the uplink was made: `feed` calls, and windows of 32 ms."""

    feeds: int
    gate_windows: int
    model_windows: int


class Uplink:
    """One device's stream. Raise `VoiceActivityUnavailable` when there is no model."""

    def __init__(self, listening: Listening, model: SpeechModel | None = None) -> None:
        self._enter = listening.vad_threshold
        self._leave = max(0.05, listening.vad_threshold - _HYSTERESIS)
        self._onset_windows = max(1, -(-listening.min_speech_ms // WINDOW_MS))
        self._preroll_samples = -(-listening.preroll_ms * RATE_HZ // 1000)
        self._gate = EnergyGate(listening.gate_db)
        self._model: SpeechModel = model if model is not None else VoiceActivity()
        self._feeds = self._gate_windows = self._model_windows = 0
        self._pending: Pcm = np.zeros(0, np.int16)
        self._pending_dtx = False
        self._history: list[Pcm] = []
        self._asleep = True
        self._awake_windows = 0
        self._close()

    def _close(self) -> None:
        self._open = False
        self._voiced_windows = 0
        self._silence_ms = 0
        self._silent_windows = 0
        self._quiet_windows = 0

    @property
    def open(self) -> bool:
        """Whether an utterance is open."""
        return self._open

    @property
    def statistics(self) -> UplinkStatistics:
        return UplinkStatistics(self._feeds, self._gate_windows, self._model_windows)

    @property
    def noise_db(self) -> float:
        """The room's noise in dBFS, as the gate has learnt it."""
        return self._gate.noise_db

    def feed(self, pcm: Pcm, dtx: bool = False) -> list[UplinkEvent]:
        """Take the next samples, int16 mono at 16 kHz, any number of them.

        `dtx`: they were made up by the decoder for a packet in which the device only
        said that there is silence (`opus.is_dtx`); the gate does not learn from them.
        """
        self._feeds += 1
        samples = np.concatenate((self._pending, pcm)) if len(self._pending) else pcm
        events: list[UplinkEvent] = []
        at = 0
        while at + WINDOW_SAMPLES <= len(samples):
            made_up = dtx or (at < len(self._pending) and self._pending_dtx)
            events += self._window(samples[at : at + WINDOW_SAMPLES], made_up)
            at += WINDOW_SAMPLES
        self._pending_dtx = dtx or (at == 0 and self._pending_dtx)
        self._pending = samples[at:].copy()
        return events

    def keep(self, pcm: Pcm) -> None:
        """Take samples that nobody listens to: they become pre-roll, nothing else.

        A wake word's audio arrives like this; it must not open an utterance.
        """
        self._feeds += 1
        samples = np.concatenate((self._pending, pcm)) if len(self._pending) else pcm
        whole = len(samples) // WINDOW_SAMPLES * WINDOW_SAMPLES
        for at in range(0, whole, WINDOW_SAMPLES):
            self._remember(samples[at : at + WINDOW_SAMPLES])
        self._pending = samples[whole:].copy()
        self._asleep = True
        self._awake_windows = 0

    def gap(self, ms: int) -> list[UplinkEvent]:
        """No audio arrived for `ms` more: silence, of which there are no samples."""
        self._voiced_windows = 0
        if not self._open or ms <= 0:
            return []
        self._silence_ms += ms
        return [Silence(self._silence_ms)]

    def end(self) -> None:
        """Close the utterance and listen for the next one.

        What was said is not heard twice: the next pre-roll reaches back to where the
        speech stopped at most.
        """
        if self._open:
            kept = self._silent_windows
            self._history = self._history[-kept:] if kept else []
        self._close()

    def reset(self, keep_preroll: bool = True) -> None:
        """Start listening anew (listen start). Without `keep_preroll` all audio is forgotten.

        With it the audio from just before is kept, that of an open utterance too: a
        user may go on right behind the wake word.
        """
        self._close()
        if not keep_preroll:
            self._history = []
            self._pending = np.zeros(0, np.int16)
            self._asleep = True
            self._awake_windows = 0

    def finish(self) -> list[UplinkEvent]:
        """No more audio belongs to the utterance (listen stop): return its last samples."""
        events: list[UplinkEvent] = []
        if self._open and len(self._pending):
            events.append(SpeechContinued(self._pending))
        self._pending = np.zeros(0, np.int16)
        self._history = []
        self._close()
        return events

    # --- one window ---------------------------------------------------------

    def _window(self, window: Pcm, made_up: bool) -> list[UplinkEvent]:
        probability = self._probability(window, made_up)
        self._remember(window)
        if self._open:
            return self._continue(window, probability)
        if probability >= self._enter or (self._voiced_windows and probability >= self._leave):
            self._voiced_windows += 1
        else:
            self._voiced_windows = 0
        if self._voiced_windows < self._onset_windows:
            return []
        self._close()
        self._open = True
        return [SpeechStarted(np.concatenate(self._history))]

    def _continue(self, window: Pcm, probability: float) -> list[UplinkEvent]:
        events: list[UplinkEvent] = [SpeechContinued(window)]
        if self._silence_ms == 0:
            if probability >= self._leave:
                return events
            self._silent_windows = max(1, min(self._quiet_windows, _LAG_WINDOWS))
            self._silence_ms = WINDOW_MS * self._silent_windows
            events.append(Silence(self._silence_ms))
            return events
        voiced = probability >= (self._leave if self._voiced_windows else self._enter)
        self._voiced_windows = self._voiced_windows + 1 if voiced else 0
        self._silence_ms += WINDOW_MS
        self._silent_windows += 1
        if self._voiced_windows >= _RESUME_WINDOWS:
            pause_ms = max(0, self._silence_ms - self._voiced_windows * WINDOW_MS)
            self._silence_ms = self._silent_windows = self._voiced_windows = 0
            events.append(SpeechResumed(pause_ms))
        else:
            events.append(Silence(self._silence_ms))
        return events

    def _probability(self, window: Pcm, made_up: bool) -> float:
        """Ask the gate, and the model where there may be speech; 0.0 where there is none."""
        self._gate_windows += 1
        loud = False
        if made_up:
            self._gate.skip()
        else:
            loud = self._gate.feed(window)
        # The model lets go of speech late. Windows that were no louder than the room
        # just before it did were silent already: they count when the silence begins.
        self._quiet_windows = 0 if loud else self._quiet_windows + 1
        if loud:
            self._awake_windows = _HANGOVER_WINDOWS
        elif not self._open:
            if self._awake_windows == 0:
                self._asleep = True
                return 0.0
            self._awake_windows -= 1
        if self._asleep:
            self._wake()
        self._model_windows += 1
        return self._model.probability(window)

    def _wake(self) -> None:
        self._asleep = False
        self._model.reset()
        for earlier in self._history[-_WARMUP_WINDOWS:]:
            self._model_windows += 1
            self._model.probability(earlier)

    def _remember(self, window: Pcm) -> None:
        """Keep enough for the pre-roll before the windows that make the onset certain."""
        self._history.append(window.copy())
        most = -(-self._preroll_samples // WINDOW_SAMPLES) + self._onset_windows
        del self._history[:-most]
