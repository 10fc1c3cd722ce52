# mypy: ignore-errors
"""Decode data/testwav.npz with a model folder through the real vosk package."""
import json
import resource
import sys
import time
from collections import defaultdict

import numpy as np
import vosk

vosk.SetLogLevel(-1)
path = sys.argv[1]
limit = int(sys.argv[2]) if len(sys.argv) > 2 else 0


def rss():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        prev, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            prev, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, prev + (x != y))
    return row[-1]


r0, t = rss(), time.time()
model = vosk.Model(path)
print("load %.2f s, RSS %.0f -> %.0f MB" % (time.time() - t, r0, rss()))
refs = json.load(open("data/testrefs.json"))
d = np.load("data/testwav.npz")
wavs = np.split(d["wav"], np.cumsum(d["lens"])[:-1])
stat = defaultdict(lambda: [0, 0, 0, 0])
bad = defaultdict(list)
seen = defaultdict(int)
voices = ["f4", "m6", "Alicia", "Lee"]
per_voice = defaultdict(lambda: [0, 0])
cpu = audio = 0.0
items = list(zip(refs, wavs))
if limit:
    items = items[::max(1, len(items) // limit)]
for (cond, ref), x in items:
    rec = vosk.KaldiRecognizer(model, 16000)
    c = time.process_time()
    raw, text = x.astype("<i2").tobytes(), []
    for i in range(0, len(raw), 1920):                      # 60 ms, as a voice gateway would
        if rec.AcceptWaveform(raw[i:i + 1920]):
            text.append(json.loads(rec.Result())["text"])
    text.append(json.loads(rec.FinalResult())["text"])
    cpu += time.process_time() - c
    audio += len(x) / 16000
    seen[cond] += 1
    hyp = "".join(text).replace(" ", "")
    s = stat[cond]
    s[0] += 1
    if "newvoice" in cond and not limit:
        v = per_voice[voices[(seen[cond] - 1) % 4]]
        v[0] += 1
        v[1] += hyp == ref
    s[1] += hyp == ref
    s[2] += distance(ref, hyp)
    s[3] += len(ref)
    if hyp != ref and len(bad[cond]) < 12:
        bad[cond].append("%s>%s" % (ref, hyp))
for cond, (n, ok, e, m) in stat.items():
    print("%-18s n %3d  sentences right %.1f %%  CER %.2f %%" % (cond, n, 100 * ok / n, 100 * e / m))
    print("    ", " | ".join(bad[cond]))
print({v: "%d/%d" % (b, a) for v, (a, b) in per_voice.items()})
print("RTF %.4f (cpu %.1f s for %.1f s), peak RSS %.0f MB" % (cpu / audio, cpu, audio, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
