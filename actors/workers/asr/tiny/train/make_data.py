# mypy: ignore-errors
"""Synthesise, augment, compute MFCC and frame labels -> data/{train,test}.npz, data/wav/*.npy"""
import json
import os
import random
import sys
from multiprocessing import Pool

import kaldi_native_fbank as knf
import numpy as np

import corpus
from synth import Espeak, PHONEME, END, resample

TRAIN_VOICES = [""] * 4 + ("+f1 +f2 +f3 +f5 +m1 +m2 +m3 +m4 +m5 +m7 +m8 " * 2 + "+Annie +Andrea +Alex +Andy +adam +linda +anika "
                           "+Diogo +steph +belinda +quincy +rob +zac +max +klatt2 +klatt3 +klatt4 +klatt5 +klatt6 +Jacky +Nguyen "
                           "+Denis +Henrique +Gene +Gene2 +Hugo +Marco +Mario +Michael +Mike +RicishayMax +RicishayMax2 +RicishayMax3 "
                           "+antonio +aunty +benjamin +boris +caleb +david +ed +edward +edward2 +grandma +grandpa +gustave +iven "
                           "+iven2 +iven3 +iven4 +john +kaukovalta +marcelo +michel +miguel +norbert +pablo +paul +pedro +robert "
                           "+sandro +shelby +steph2 +steph3 +travis +victor +croak +UniRobot +Tweaky").split()
TEST_VOICES = ["+f4", "+m6", "+Alicia", "+Lee"]
SIL = "SIL"


def mfcc(x):
    """x: float samples in the int16 range, 16 kHz -> (frames, 40)."""
    o = knf.MfccOptions()
    o.frame_opts.samp_freq = 16000
    o.frame_opts.dither = 0
    o.mel_opts.num_bins = 40
    o.mel_opts.low_freq = 20
    o.mel_opts.high_freq = -400
    o.num_ceps = 40
    o.use_energy = False
    m = knf.OnlineMfcc(o)
    m.accept_waveform(16000, x.tolist())
    m.input_finished()
    return np.stack([m.get_frame(i) for i in range(m.num_frames_ready)])


def segments(syllables, events):
    """-> [(unit, start sample, end sample)] or None when counts disagree."""
    groups, cur, start = [], [], 0
    end = None
    for kind, pos, name in events:
        if kind == END:
            end = pos if end is None else end
        if kind != PHONEME:
            continue
        if name.startswith("_"):
            if cur:
                groups.append((start, cur, pos))
            cur, start = [], pos
            if not name.startswith("_|"):
                break
        else:
            cur.append((name, pos))
    if len(groups) != len(syllables):
        return None
    out = []
    for syl, (a, phones, b) in zip(syllables, groups):
        u = corpus.units(syl)
        if len(u) == 1:
            out.append((u[0], a, b))
        else:
            mid = phones[1][1] if len(phones) > 1 else (a + b) // 2
            out += [(u[0], a, mid), (u[1], mid, b)]
    return out


def labels(segs_ms, n_out, ids):
    """Two pdfs per unit (first frame / later frames), one frame at least each."""
    t = 30.0 * np.arange(n_out) + 12.5
    b = [int(np.searchsorted(t, s)) for _, s, _ in segs_ms]
    b[0] = 0
    for i in range(1, len(b)):
        b[i] = max(b[i], b[i - 1] + 1)
    lim = n_out
    for i in range(len(b) - 1, 0, -1):
        lim = min(lim, b[i] + 1) - 1 if b[i] >= lim else b[i]
        b[i] = min(b[i], lim)
    if b[-1] >= n_out or any(y <= x for x, y in zip(b, b[1:])):
        return None
    lab = np.zeros(n_out, np.int16)
    for i, (u, _, _) in enumerate(segs_ms):
        e = b[i + 1] if i + 1 < len(b) else n_out
        lab[b[i]:e] = 2 * ids[u] + 1
        lab[b[i]] = 2 * ids[u]
    return lab


def noise(rng, n, kind):
    w = rng.normal(size=n)
    if kind == "white":
        x = w
    elif kind == "pink":
        f = np.fft.rfft(w)
        f /= np.sqrt(np.arange(len(f)) + 20.0)
        x = np.fft.irfft(f, n)
    elif kind == "brown":
        f = np.fft.rfft(w)
        f /= np.arange(len(f)) + 40.0
        x = np.fft.irfft(f, n)
    else:                            # mains hum with harmonics
        t = np.arange(n) / 16000
        x = sum(rng.normal() * np.sin(2 * np.pi * 50 * k * t + rng.uniform(0, 6)) for k in range(1, 8)) + 0.1 * w
    return x / (np.sqrt(np.mean(x ** 2)) + 1e-9)


def augment(rng, x, clean):
    """Speech with its silence already padded -> int16-range floats."""
    if not clean and rng.random() < 0.35:
        n = int(16000 * rng.uniform(0.05, 0.35))
        rir = rng.normal(size=n) * np.exp(-6.9 * np.arange(n) / n) * rng.uniform(0.02, 0.12)
        rir[0] = 1.0
        m = 1 << (len(x) + n).bit_length()
        x = np.fft.irfft(np.fft.rfft(x, m) * np.fft.rfft(rir, m), m)[:len(x)]
    peak = np.abs(x).max() + 1e-9
    level = 10 ** (rng.uniform(-22, -1) / 20) * 32767
    if clean:
        level = rng.uniform(0.5, 0.99) * 32767
    x = x / peak * level
    if not clean and rng.random() < 0.75:
        snr = rng.uniform(8, 40)
        rms = np.sqrt(np.mean(x ** 2)) + 1e-9
        x = x + noise(rng, len(x), rng.choice(["white", "pink", "pink", "brown", "hum"])) * rms * 10 ** (-snr / 20)
    elif rng.random() < 0.5:
        x = x + rng.normal(size=len(x)) * rng.uniform(0.3, 4)
    return np.clip(np.round(x), -32768, 32767)


_es = None


def job(a):
    global _es
    if _es is None:
        _es = Espeak()
    seed, syl, voice, kind, ids = a
    rng = np.random.default_rng(seed)
    if kind == "noise":
        x = np.zeros(int(16000 * rng.uniform(0.5, 3)))
        if rng.random() < 0.8:
            x = noise(rng, len(x), rng.choice(["white", "pink", "brown", "hum"])) * 10 ** rng.uniform(0, 3.2)
        f = mfcc(np.clip(np.round(x), -32768, 32767))
        lab = np.full((len(f) + 2) // 3, 2 * ids[SIL] + 1, np.int16)
        lab[0] -= 1
        return f.astype(np.float16), lab, None
    plain = kind != "train"
    rate = 175 if plain else rng.integers(125, 235)
    pitch = 50 if plain else rng.integers(20, 85)
    prange = 50 if plain else rng.integers(20, 80)
    speed = 1.0 if plain or rng.random() < 0.3 else rng.uniform(0.82, 1.25)
    if kind == "test_fast":
        rate = 215
    wav, ev = _es.say(" ".join(syl), "cmn-latn-pinyin" + voice, rate, pitch, prange)
    segs = segments(syl, ev)
    if segs is None:
        return None
    y = resample(wav, _es.sr, speed)
    k = 1000.0 / (_es.sr * speed)
    lead, trail = (0.15, 0.5) if plain else (rng.uniform(0.02, 0.5), rng.uniform(0.05, 0.6))
    x = np.concatenate([np.zeros(int(lead * 16000)), y, np.zeros(int(trail * 16000))])
    x = augment(rng, x, kind in ("test", "test_fast") or (kind == "train" and rng.random() < 0.2))
    f = mfcc(x)
    n_out = (len(f) + 2) // 3
    ms = [(SIL, 0.0, lead * 1000)] + [(u, lead * 1000 + s * k, lead * 1000 + e * k) for u, s, e in segs]
    ms.append((SIL, ms[-1][2], 1e9))
    lab = labels(ms, n_out, ids)
    if lab is None:
        return None
    return f.astype(np.float16), lab, x.astype(np.int16) if kind != "train" else None


def syllables(sentence):
    return [y for w in corpus.segment(sentence) for y in corpus.readings(w)[0]]


def main():
    os.makedirs("data", exist_ok=True)
    rng = random.Random(1)
    train, test = corpus.sentences()
    common = corpus.common_words()
    units = sorted({u for s in train + test for w in corpus.segment(s) for y in corpus.readings(w)[0] for u in corpus.units(y)}
                   | {u for w, _ in common for y in corpus.readings(w)[0] for u in corpus.units(y)})
    ids = {SIL: 0, **{u: i + 1 for i, u in enumerate(units)}}
    json.dump(ids, open("data/units.json", "w"))
    jobs = []
    for s in train:
        v = [""] + rng.sample(TRAIN_VOICES, 4)
        jobs += [(syllables(s), x, "train") for x in v]
    words = [w for w, _ in common] + sorted({w for s in train for w in corpus.segment(s)})
    for _ in range(5000):
        pick = [rng.choice(words) for _ in range(rng.randint(2, 5))]
        jobs.append(([y for w in pick for y in corpus.readings(w)[0]], rng.choice(TRAIN_VOICES), "train"))
    jobs += [([], "", "noise")] * 150
    rng.shuffle(jobs)
    tests, refs = [], []
    for cond, sents, voices, kind in (
            ("heldout_default", test, [""], "test"),
            ("heldout_newvoice", test, TEST_VOICES, "test"),
            ("train_newvoice", rng.sample(train, 150), TEST_VOICES, "test"),
            ("heldout_fast", test[::2], [""], "test_fast"),
            ("heldout_noisy", test, [""], "test_noisy")):
        for i, s in enumerate(sents):
            tests.append((syllables(s), voices[i % len(voices)], kind))
            refs.append((cond, s))
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    jobs = jobs[:int(len(jobs) * scale)]
    with Pool(2) as p:
        for name, js in (("test", tests), ("train", jobs)):
            feats, labs, lens, wavs, kept = [], [], [], [], []
            for i, r in enumerate(p.imap(job, [(i * 7 + len(name), *j, ids) for i, j in enumerate(js)], 20)):
                if r is None:
                    continue
                feats.append(r[0]), labs.append(r[1]), lens.append(len(r[0]))
                if name == "test":
                    wavs.append(r[2]), kept.append(refs[i])
            np.savez("data/%s.npz" % name, feats=np.concatenate(feats), labs=np.concatenate(labs), lens=np.array(lens))
            if name == "test":
                np.savez("data/testwav.npz", wav=np.concatenate(wavs), lens=np.array([len(w) for w in wavs]))
                json.dump(kept, open("data/testrefs.json", "w"), ensure_ascii=False)
            print(name, "kept", len(lens), "of", len(js), "hours", sum(lens) / 360000, flush=True)


if __name__ == "__main__":
    main()
