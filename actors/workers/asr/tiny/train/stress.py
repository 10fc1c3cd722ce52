# mypy: ignore-errors
"""Streaming behaviour and concurrency of a model folder: stress.py MODEL"""
import json
import resource
import sys
import threading
import time

import numpy as np
import vosk

path = sys.argv[1]
vosk.SetLogLevel(-1)


def rss():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


refs = json.load(open("data/testrefs.json"))[:60]
d = np.load("data/testwav.npz")
n = d["lens"][:60]
allw = d["wav"][:n.sum()]
wavs = [w.astype("<i2").tobytes() for w in np.split(allw, np.cumsum(n)[:-1])]
del d, allw

r0, t = rss(), time.perf_counter()
model = vosk.Model(path)
print("load %.0f ms, RSS %.0f -> %.0f MB" % (1e3 * (time.perf_counter() - t), r0, rss()))

# partials, endpoint and reuse of one recogniser over several utterances
rec = vosk.KaldiRecognizer(model, 16000)
rec.SetWords(True)
for k in (3, 30):
    raw = wavs[k] + bytes(32000)
    last = ""
    for i in range(0, len(raw), 1920):
        done = rec.AcceptWaveform(raw[i:i + 1920])
        p = json.loads(rec.PartialResult()).get("partial", "")
        if p != last:
            print("  %.2f s partial: %s" % ((i + 1920) / 32000, p))
            last = p
        if done:
            print("  %.2f s endpoint:" % ((i + 1920) / 32000), json.loads(rec.Result())["text"], "(ref %s, audio %.2f s)" % (refs[k][1], len(wavs[k]) / 32000))
res = json.loads(rec.FinalResult())
print("after endpoint FinalResult:", res)
rec = vosk.KaldiRecognizer(model, 16000)
rec.SetWords(True)
rec.AcceptWaveform(wavs[3])
print("words:", json.loads(rec.FinalResult()))
rec = vosk.KaldiRecognizer(model, 16000)
rec.SetMaxAlternatives(3)
rec.AcceptWaveform(wavs[3])
print("alternatives:", [a["text"] for a in json.loads(rec.FinalResult())["alternatives"]])
rec = vosk.KaldiRecognizer(model, 16000, json.dumps(["你好 小智", "[unk]"], ensure_ascii=False))
rec.AcceptWaveform(wavs[3])
print("with a grammar (HCLG models warn and ignore it):", json.loads(rec.FinalResult())["text"])
rec = vosk.KaldiRecognizer(model, 16000)
print("empty:", json.loads(rec.FinalResult()))
rec.AcceptWaveform(bytes(32000 * 8))
print("8 s of zeros: ", json.loads(rec.FinalResult()))
rng = np.random.default_rng(0)
rec.AcceptWaveform((rng.normal(size=16000 * 8) * 300).astype("<i2").tobytes())
print("8 s of noise: ", json.loads(rec.FinalResult()))
rec.Reset()
print("find word:", model.vosk_model_find_word("你好") if hasattr(model, "vosk_model_find_word") else model.FindWord("你好") if hasattr(model, "FindWord") else "n/a")

# ten recognisers on one model: in step on one thread, then on ten threads
r1 = rss()
recs = [vosk.KaldiRecognizer(model, 16000) for _ in range(10)]
print("10 recognisers: RSS %.0f -> %.0f MB" % (r1, rss()))
ok, c, a = 0, time.process_time(), 0
for base in range(0, 50, 10):
    longest = max(len(wavs[base + j]) for j in range(10))
    out = [""] * 10
    for i in range(0, longest, 1920):
        for j in range(10):
            b = wavs[base + j][i:i + 1920]
            if b and recs[j].AcceptWaveform(b):
                out[j] += json.loads(recs[j].Result())["text"]
    for j in range(10):
        out[j] += json.loads(recs[j].FinalResult())["text"]
        ok += out[j].replace(" ", "") == refs[base + j][1]
        a += len(wavs[base + j]) / 32000
print("interleaved: %d of 50 right, RTF %.4f, RSS %.0f MB" % (ok, (time.process_time() - c) / a, rss()))
good = []


def run(j):
    for base in range(0, 50, 10):
        text = ""
        raw = wavs[base + j]
        for i in range(0, len(raw), 1920):
            if recs[j].AcceptWaveform(raw[i:i + 1920]):
                text += json.loads(recs[j].Result())["text"]
        text += json.loads(recs[j].FinalResult())["text"]
        good.append(text.replace(" ", "") == refs[base + j][1])


t = time.perf_counter()
ths = [threading.Thread(target=run, args=(j,)) for j in range(10)]
[x.start() for x in ths]
[x.join() for x in ths]
print("10 threads: %d of %d right, %.2f s wall for %.0f s audio, peak RSS %.0f MB" % (
    sum(good), len(good), time.perf_counter() - t, a, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
