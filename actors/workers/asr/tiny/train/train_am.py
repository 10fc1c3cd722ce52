# mypy: ignore-errors
"""Train the TDNN on data/train.npz, write am.npz (layers folded for nnet3)."""
import json
import sys
import time

import numpy as np
import torch
from torch import nn

WIDTH = int(sys.argv[1]) if len(sys.argv) > 1 else 192
EPOCHS = int(sys.argv[2]) if len(sys.argv) > 2 else 10
BUDGET = float(sys.argv[3]) if len(sys.argv) > 3 else 1200       # seconds
OUT = sys.argv[4] if len(sys.argv) > 4 else "am.npz"
# offsets in 10 ms input frames; from the second layer on multiples of 3
OFFSETS = [[-3, -2, -1, 0, 1, 2, 3], [-3, 0, 3], [-3, 0, 3], [-6, 0, 6], [-6, 0, 3], [0]]
LEFT = -sum(o[0] for o in OFFSETS)
RIGHT = sum(o[-1] for o in OFFSETS)
torch.set_num_threads(1)
torch.manual_seed(0)
rng = np.random.default_rng(0)


class Tdnn(nn.Module):
    def __init__(self, feat, width, out):
        super().__init__()
        dims = [feat] + [width] * (len(OFFSETS) - 1) + [out]
        self.aff = nn.ModuleList(nn.Linear(dims[i] * len(o), dims[i + 1]) for i, o in enumerate(OFFSETS))
        self.bn = nn.ModuleList(nn.BatchNorm1d(width) for _ in OFFSETS[:-1])

    def forward(self, x):
        """x: (batch, LEFT + 3 * (n - 1) + 1 + RIGHT frames, feat) -> (batch, n, out)"""
        times = None
        for i, offs in enumerate(OFFSETS):
            if i == 0:
                w = len(offs)
                x = x.unfold(1, w, 3).permute(0, 1, 3, 2).flatten(2)
            else:
                o = [k // 3 for k in offs]
                n = x.shape[1] - (o[-1] - o[0])
                x = torch.cat([x[:, k - o[0]:k - o[0] + n] for k in o], 2)
            x = self.aff[i](x)
            if i < len(self.bn):
                x = torch.relu(x)
                x = self.bn[i](x.transpose(1, 2)).transpose(1, 2)
        return x


def load(name):
    d = np.load("data/%s.npz" % name)
    feats, labs, lens = d["feats"], d["labs"], d["lens"]
    out, a, b = [], 0, 0
    for n in lens:
        m = (n + 2) // 3
        out.append((a, n, labs[b:b + m]))
        a, b = a + n, b + m
    return feats, out


def padded(feats, item, shift=0):
    a, n, lab = item
    idx = np.clip(np.arange(-LEFT, 3 * (len(lab) - 1) + 1 + RIGHT), 0, n - 1) + a
    return feats[idx].astype(np.float32), lab


def chunks(feats, items, size=48):
    """Fixed-length training chunks; the rest of an utterance is joined up."""
    for k in rng.permutation(len(items)):
        a, n, lab = items[k]
        if len(lab) <= size:
            starts = [0]
        else:
            starts = list(range(0, len(lab) - size, size)) + [len(lab) - size]
        for s in starts:
            m = min(size, len(lab) - s)
            idx = np.clip(np.arange(3 * s - LEFT, 3 * (s + size - 1) + 1 + RIGHT), 0, n - 1) + a
            y = np.full(size, -1, np.int64)
            y[:m] = lab[s:s + m]
            yield idx, y


def cepstral_tools(n=40, lifter=22.0):
    """MFCC -> log mel and back, as matrices (Kaldi's DCT and lifter)."""
    k, j = np.arange(n)[:, None], np.arange(n)[None]
    dct = np.sqrt(2.0 / n) * np.cos(np.pi / n * (j + 0.5) * k)
    dct[0] = np.sqrt(1.0 / n)
    lift = 1 + 0.5 * lifter * np.sin(np.pi * np.arange(n) / lifter)
    return lift[:, None] * dct, dct.T / lift[None]


TO_CEP, TO_MEL = cepstral_tools()


def random_speaker(mel_mean):
    """A random vocal-tract warp, equaliser and band mask as (matrix, offset)."""
    n = len(mel_mean)
    pos = np.arange(n, dtype=float)
    alpha, bend = rng.uniform(-3.0, 3.0), rng.uniform(-1.5, 1.5)
    src = np.clip(pos + alpha * np.sin(np.pi * pos / (n - 1)) ** 0.5 + bend * np.sin(2 * np.pi * pos / (n - 1)), 0, n - 1)
    lo = np.floor(src).astype(int).clip(0, n - 2)
    fr = src - lo
    w = np.zeros((n, n))
    w[np.arange(n), lo], w[np.arange(n), lo + 1] = 1 - fr, fr
    eq = rng.normal() * 1.2 * (pos / (n - 1) - 0.5) * 2
    for h in range(1, 5):
        eq = eq + rng.normal() * 0.7 / h * np.cos(np.pi * h * pos / (n - 1) + rng.uniform(0, 6))
    if rng.random() < 0.4:
        a = rng.integers(0, n - 4)
        b = min(n, a + rng.integers(2, 7))
        w[a:b] = 0
        eq[a:b] = mel_mean[a:b]
    return TO_CEP @ w @ TO_MEL, TO_CEP @ eq


def evaluate(net, feats, items, mean, std, limit=200):
    net.eval()
    ok = unit = tot = 0
    with torch.no_grad():
        for it in items[:limit]:
            x, y = padded(feats, it)
            p = net(torch.from_numpy((x - mean) / std)[None])[0].argmax(1).numpy()
            ok += (p == y).sum()
            unit += (p // 2 == y // 2).sum()
            tot += len(y)
    net.train()
    return ok / tot, unit / tot


def export(net, mean, std, priors):
    """Fold feature normalisation and batch norm into the affine layers."""
    layers = {}
    scale = (1 / std).astype(np.float64)
    shift = (-mean / std).astype(np.float64)
    for i, offs in enumerate(OFFSETS):
        w = net.aff[i].weight.detach().numpy().astype(np.float64)
        b = net.aff[i].bias.detach().numpy().astype(np.float64)
        s, t = np.tile(scale, len(offs)), np.tile(shift, len(offs))
        b = b + w @ t
        w = w * s
        layers["w%d" % i], layers["b%d" % i] = w.astype(np.float32), b.astype(np.float32)
        if i < len(net.bn):
            bn = net.bn[i]
            g = bn.weight.detach().numpy().astype(np.float64)
            v = np.sqrt(bn.running_var.numpy().astype(np.float64) + bn.eps)
            scale = g / v
            shift = bn.bias.detach().numpy() - bn.running_mean.numpy() * scale
    np.savez(OUT, offsets=json.dumps(OFFSETS), priors=priors, **layers)


def main():
    ids = json.load(open("data/units.json"))
    feats, items = load("train")
    tfeats, titems = load("test")
    n_out = 2 * len(ids)
    sub = feats[::17].astype(np.float64)
    mean, std = sub.mean(0).astype(np.float32), (sub.std(0) + 1e-3).astype(np.float32)
    mel_mean = TO_MEL @ sub.mean(0)
    priors = np.bincount(np.concatenate([l for _, _, l in items]), minlength=n_out).astype(np.float64) + 5
    priors /= priors.sum()
    net = Tdnn(feats.shape[1], WIDTH, n_out)
    print("params", sum(p.numel() for p in net.parameters()), "utts", len(items), "context", LEFT, RIGHT, flush=True)
    batch = 48
    steps = sum(max(1, -(-len(l) // 48)) for _, _, l in items) // batch * EPOCHS
    opt = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-3)
    t0, step, run, cnt = time.time(), 0, 0.0, 0
    c0 = np.float32(np.sqrt(2 / 40) * 40 / np.sqrt(2))    # gain moves only C0
    for epoch in range(EPOCHS):
        bx, by = [], []
        for idx, y in chunks(feats, items):
            bx.append(idx), by.append(y)
            if len(bx) < batch:
                continue
            frac = max(step / steps, (time.time() - t0) / BUDGET)
            if frac >= 1:
                break
            for g in opt.param_groups:
                g["lr"] = 2.5e-3 * min(1, step / 200 + 0.05) * (1 - frac) ** 1.0 + 2e-5
            x = feats[np.stack(bx)].astype(np.float32)
            x[:, :, 0] += c0 * 0.6 * rng.normal(size=(batch, 1)).astype(np.float32)
            for r in range(batch):
                if rng.random() < 0.75:
                    m, o = random_speaker(mel_mean)
                    x[r] = x[r] @ m.T.astype(np.float32) + o.astype(np.float32)
            x = (x - mean) / std
            x += 0.1 * rng.normal(size=x.shape).astype(np.float32)
            for r in range(batch):                       # one time and one cepstral mask
                if rng.random() < 0.4:
                    s = rng.integers(0, x.shape[1] - 12)
                    x[r, s:s + rng.integers(2, 12)] = 0
            out = net(torch.from_numpy(x))
            loss = nn.functional.cross_entropy(out.flatten(0, 1), torch.from_numpy(np.stack(by)).flatten(), ignore_index=-1, label_smoothing=0.05)
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            opt.step()
            run, cnt, step = run + loss.item(), cnt + 1, step + 1
            bx, by = [], []
        if cnt:
            print("epoch %d loss %.3f test acc %.3f unit %.3f  %.0f s" % (
                epoch, run / cnt, *evaluate(net, tfeats, titems[::5], mean, std), time.time() - t0), flush=True)
        run, cnt = 0.0, 0
        export(net, mean, std, priors)
        if max(step / steps, (time.time() - t0) / BUDGET) >= 1:
            break


if __name__ == "__main__":
    main()
