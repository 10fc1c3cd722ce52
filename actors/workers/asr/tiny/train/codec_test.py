# mypy: ignore-errors
"""Held-out sentences after an Opus round trip, cropped silence, low level; and repeatability."""
import json
import subprocess
import sys

import numpy as np
import vosk

vosk.SetLogLevel(-1)
m = vosk.Model(sys.argv[1])
refs = [r[1] for r in json.load(open("data/testrefs.json"))[:215]][::2]
d = np.load("data/testwav.npz")
n = d["lens"][:215]
wavs = np.split(d["wav"][:n.sum()], np.cumsum(n)[:-1])[::2]


def text(x):
    r = vosk.KaldiRecognizer(m, 16000)
    out = ""
    raw = np.asarray(x).astype("<i2").tobytes()
    for i in range(0, len(raw), 1920):
        if r.AcceptWaveform(raw[i:i + 1920]):
            out += json.loads(r.Result())["text"]
    return (out + json.loads(r.FinalResult())["text"]).replace(" ", "")


def opus(x, rate):
    a = subprocess.run(["ffmpeg", "-v", "error", "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "-", "-c:a", "libopus", "-b:a", rate,
                        "-application", "voip", "-frame_duration", "60", "-f", "ogg", "-"], input=x.astype("<i2").tobytes(), capture_output=True, check=True).stdout
    b = subprocess.run(["ffmpeg", "-v", "error", "-i", "-", "-f", "s16le", "-ar", "16000", "-ac", "1", "-"], input=a, capture_output=True, check=True).stdout
    return np.frombuffer(b, "<i2")


def crop(x):
    k = np.flatnonzero(np.abs(x.astype(int)) > 300)
    return x[k[0]:k[-1]]


first = None
for name, f in (("plain", lambda x: x), ("plain again", lambda x: x), ("opus 24k", lambda x: opus(x, "24k")), ("opus 16k", lambda x: opus(x, "16k")),
                ("silence cropped", crop), ("-30 dB", lambda x: x * 0.03), ("clipped x4", lambda x: np.clip(x.astype(int) * 4, -32768, 32767))):
    h = [text(f(x)) for x in wavs]
    first = first or h
    bad = ["%s>%s" % p for p in zip(refs, h) if p[0] != p[1]]
    print("%-16s %d/%d right%s  %s" % (name, len(h) - len(bad), len(h), ", same as first" if h == first else "", " | ".join(bad[:5])), flush=True)
