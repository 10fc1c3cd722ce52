# mypy: ignore-errors
"""Minimal writers for the Kaldi binary objects a Vosk model needs.

Only what Vosk reads is written: a TransitionModel with one emitting state per
phone (separate pdfs for the first and for the following frames, as in "chain"
topologies) followed by an nnet3 AmNnetSimple made of fixed affine layers.
"""
import struct

import numpy as np


class Writer:
    def __init__(self, path):
        self.f = open(path, "wb")
        self.f.write(b"\0B")

    def close(self):
        self.f.close()

    def raw(self, data):
        self.f.write(data)

    def token(self, t):
        self.f.write(t.encode() + b" ")

    def int(self, v):
        self.f.write(b"\x04" + struct.pack("<i", v))

    def float(self, v):
        self.f.write(b"\x04" + struct.pack("<f", v))

    def double(self, v):
        self.f.write(b"\x08" + struct.pack("<d", v))

    def int_list(self, values):
        self.f.write(b"\x04" + struct.pack("<i", len(values)))
        self.f.write(np.asarray(values, "<i4").tobytes())

    def vector(self, v):
        v = np.asarray(v, "<f4")
        self.token("FV")
        self.int(len(v))
        self.f.write(v.tobytes())

    def matrix(self, m, bits=32):
        """bits=16 and bits=8 use Kaldi's CompressedMatrix formats."""
        m = np.asarray(m, "<f4")
        if bits == 32:
            self.token("FM")
            self.int(m.shape[0])
            self.int(m.shape[1])
            self.f.write(np.ascontiguousarray(m).tobytes())
            return
        name, top, dtype = {16: ("CM2", 65535, "<u2"), 8: ("CM3", 255, "u1")}[bits]
        low, span = float(m.min()), float(m.max() - m.min()) or 1.0
        q = np.clip(np.round((m - low) / span * top), 0, top).astype(dtype)
        self.token(name)
        self.f.write(struct.pack("<ffii", low, span, *m.shape))
        self.f.write(np.ascontiguousarray(q).tobytes())


def write_transition_model(w, phone_pdfs):
    """phone_pdfs[i] = (first-frame pdf, later-frames pdf) of phone i + 1."""
    n = len(phone_pdfs)
    w.token("<TransitionModel>")
    w.token("<Topology>")
    w.int_list(range(1, n + 1))
    w.int_list([-1] + [0] * n)
    w.int(-1)                      # states carry a self-loop pdf class too
    w.int(1)                       # one entry, shared by all phones
    w.int(2)                       # two states, the second being final
    w.int(0), w.int(1)             # pdf classes: forward 0, self-loop 1
    w.int(2)
    w.int(0), w.float(0.5)
    w.int(1), w.float(0.5)
    w.int(-1), w.int(-1), w.int(0)
    w.token("</Topology>")
    w.token("<Tuples>")
    w.int(n)
    for i, (first, later) in enumerate(phone_pdfs):
        for v in (i + 1, 0, first, later):
            w.int(v)
    w.token("</Tuples>")
    w.token("<LogProbs>")
    w.vector([0.0] + [float(np.log(0.5))] * (2 * n))
    w.token("</LogProbs>")
    w.token("</TransitionModel>")


def forward_tid(phone):
    return 2 * phone


def self_loop_tid(phone):
    return 2 * phone - 1


def write_nnet(w, layers, priors, feat_dim, bits=32):
    """layers: list of (offsets, weight, bias); ReLU between, log-softmax last.

    The columns of each weight follow the order of its offsets.
    """
    lines = ["input-node name=input dim=%d" % feat_dim]
    comps = []
    prev = "input"
    for i, (offsets, weight, bias) in enumerate(layers):
        parts = [prev if o == 0 else "Offset(%s, %d)" % (prev, o) for o in offsets]
        src = parts[0] if len(parts) == 1 else "Append(%s)" % ", ".join(parts)
        name = "affine%d" % (i + 1)
        lines.append("component-node name=%s component=%s input=%s" % (name, name, src))
        comps.append((name, "FixedAffineComponent", (weight, bias)))
        last = i == len(layers) - 1
        kind = "LogSoftmaxComponent" if last else "RectifiedLinearComponent"
        prev = "logsoftmax" if last else "relu%d" % (i + 1)
        lines.append("component-node name=%s component=%s input=%s" % (prev, prev, name))
        comps.append((prev, kind, len(bias)))
    lines.append("output-node name=output input=%s objective=linear" % prev)
    w.token("<Nnet3>")
    w.raw(("\n" + "\n".join(lines) + "\n\n").encode())
    w.token("<NumComponents>")
    w.int(len(comps))
    for name, kind, arg in comps:
        w.token("<ComponentName>")
        w.token(name)
        w.token("<%s>" % kind)
        if kind == "FixedAffineComponent":
            w.token("<LinearParams>")
            w.matrix(arg[0], bits)
            w.token("<BiasParams>")
            w.vector(arg[1])
        else:
            w.token("<Dim>")
            w.int(arg)
            w.token("<ValueAvg>")
            w.vector([])
            w.token("<DerivAvg>")
            w.vector([])
            w.token("<Count>")
            w.double(0.0)
        w.token("</%s>" % kind)
    w.token("</Nnet3>")
    left = -sum(min(o) for o, _, _ in layers)
    right = sum(max(o) for o, _, _ in layers)
    w.token("<LeftContext>")
    w.int(left)
    w.token("<RightContext>")
    w.int(right)
    w.token("<Priors>")
    w.vector(priors)
