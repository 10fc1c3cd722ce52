# mypy: ignore-errors
"""espeak-ng through its C library: 16 kHz samples plus phoneme times."""
import ctypes

import numpy as np

WORD, PHONEME, END = 2, 7, 5
RATE, PITCH, RANGE = 1, 3, 4


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int),
                ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
                ("user_data", ctypes.c_void_p), ("id", _Id)]


_CB = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """One per process (the C library keeps global state)."""

    def __init__(self):
        self.lib = ctypes.CDLL("libespeak-ng.so.1")
        self.sr = self.lib.espeak_Initialize(2, 0, None, 1)  # synchronous, phoneme events
        self.cb = _CB(self._on_audio)
        self.lib.espeak_SetSynthCallback(self.cb)
        self.voice = None

    def _on_audio(self, wav, n, events):
        if n > 0 and wav:
            self.audio.append(np.ctypeslib.as_array(wav, (n,)).copy())
        i = 0
        while events[i].type:
            e = events[i]
            if e.type in (WORD, PHONEME, END):
                self.events.append((e.type, e.sample, e.id.string.decode("utf-8", "replace") if e.type == PHONEME else e.text_position))
            i += 1
        return 0

    def say(self, text, voice="cmn-latn-pinyin", rate=175, pitch=50, pitch_range=50):
        if voice != self.voice:
            if self.lib.espeak_SetVoiceByName(voice.encode()):
                raise ValueError(voice)
            self.voice = voice
        for k, v in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
            self.lib.espeak_SetParameter(k, int(v), 0)
        self.audio, self.events = [], []
        data = text.encode() + b"\0"
        self.lib.espeak_Synth(data, len(data), 0, 1, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        audio = np.concatenate(self.audio) if self.audio else np.zeros(1, np.int16)
        return audio, self.events


def resample(x, sr, speed=1.0, out=16000):
    """Band-limited resampling by FFT; speed > 1 also raises all frequencies."""
    n = int(round(len(x) * out / (sr * speed)))
    spec = np.fft.rfft(x.astype(np.float64))
    keep = n // 2 + 1
    new = np.zeros(keep, complex)
    m = min(keep, len(spec))
    new[:m] = spec[:m]
    return np.fft.irfft(new, n) * (n / len(x))


if __name__ == "__main__":
    import time
    e = Espeak()
    t = time.time()
    a, ev = e.say("da3 kai1 ke4 ting1 de5 deng1 zher4 yi1 yi1 er4")
    print(e.sr, len(a) / e.sr, time.time() - t)
    print(ev)
    b, ev2 = e.say("打开客厅的灯", voice="cmn-latn-pinyin+f4", rate=200)
    print(ev2, np.abs(b).max())
