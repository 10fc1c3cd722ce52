# mypy: ignore-errors
"""graph/HCLr.fst + Gr.fst (run-time grammars work) instead of HCLG.fst.

Needs Debian's libfst-tools and libfst22-plugins-base (fstconvert with
olabel_lookahead).  Never import vosk here.
"""
import json
import math
import os
import subprocess
import sys
import sysconfig
from collections import Counter, defaultdict

import pynini

import corpus
import lm
from build_graph import POS, SIL_COST, SIL_PHONE, arc, phone_id, word_phones
from kaldi_io import forward_tid, self_loop_tid

OUT = sys.argv[1]
ALL = sys.argv[2] == "all"
COMMON = int(sys.argv[3])
UNK = "[unk]"
UNK_COST = float(sys.argv[4]) if len(sys.argv) > 4 else 1.5   # per unit
PLUGINS = "/usr/lib/%s/fst/22" % sysconfig.get_config_var("MULTIARCH")    # where Debian has them


def main():
    ids = json.load(open("data/units.json"))
    n_phones = 1 + 4 * (len(ids) - 1)
    train, test = corpus.sentences()
    probs, backoff = lm.build(train + test if ALL else train, common=COMMON)
    vocab = sorted(w for w in probs[()] if w not in (lm.BOS, lm.EOS))
    vocab = [w for w in vocab if all(x in ids for r in corpus.readings(w) for y in r for x in corpus.units(y))]
    wid = {w: i + 1 for i, w in enumerate(vocab)}
    wid[UNK] = len(wid) + 1

    L = pynini.Fst()
    loop = L.add_state()
    L.set_start(loop)
    L.set_final(loop)
    share = Counter(ph for w in vocab for ph in word_phones(w, ids))
    seen = defaultdict(int)
    dis0 = n_phones
    for w in vocab:
        for ph in word_phones(w, ids):
            seen[ph] += 1
            seq = list(ph) + ([dis0 + seen[ph]] if share[ph] > 1 else [])
            s = loop
            for i, p in enumerate(seq):
                d = loop if i == len(seq) - 1 else L.add_state()
                arc(L, s, p, wid[w] if i == 0 else 0, 0.0, d)
                s = d
    arc(L, loop, SIL_PHONE, 0, SIL_COST, loop)
    L = pynini.determinize(L)
    n_dis = max(seen[p] for p in share if share[p] > 1)
    tid0 = 2 * n_phones                                    # disambiguation ids follow the transition ids

    H = pynini.Fst()
    base = [H.add_state() for _ in range(L.num_states())]
    incoming = defaultdict(set)
    for s in L.states():
        for a in L.arcs(s):
            incoming[a.nextstate].add(a.ilabel if a.ilabel <= n_phones else 0)
    split = {}

    def enter(d, p):
        if (d, p) not in split:
            if incoming[d] == {p} and d != L.start():
                q = base[d]
            else:
                q = H.add_state()
                arc(H, q, 0, 0, 0.0, base[d])
            arc(H, q, self_loop_tid(p), 0, 0.0, q)
            split[d, p] = q
        return split[d, p]

    H.set_start(base[L.start()])
    for s in L.states():
        if float(L.final(s)) != float("inf"):
            H.set_final(base[s], L.final(s))
        for a in L.arcs(s):
            if 0 < a.ilabel <= n_phones:
                arc(H, base[s], forward_tid(a.ilabel), a.olabel, float(a.weight), enter(a.nextstate, a.ilabel))
            elif a.ilabel > n_phones:
                arc(H, base[s], tid0 + a.ilabel - dis0, a.olabel, float(a.weight), base[a.nextstate])
            else:
                arc(H, base[s], 0, a.olabel, float(a.weight), base[a.nextstate])
    # [unk]: any run of units, for grammars only (the main LM never uses it);
    # added after determinisation, which it would blow up
    u = H.add_state()
    for k in range(1, len(ids)):
        for pos in POS:
            p = phone_id(k, pos)
            q = H.add_state()
            arc(H, q, self_loop_tid(p), 0, 0.0, q)
            first = pos in "BS"
            arc(H, base[L.start()] if first else u, forward_tid(p), wid[UNK] if first else 0, UNK_COST, q)
            arc(H, q, 0, 0, 0.0, u if pos in "BI" else base[L.start()])
    H.connect()
    H.arcsort("olabel")
    g = OUT + "/graph"
    os.makedirs(g + "/phones", exist_ok=True)
    H.write(g + "/HCL.fst")
    subprocess.run(["fstconvert", "--fst_type=olabel_lookahead", "--save_relabel_opairs=" + g + "/relabel",
                    g + "/HCL.fst", g + "/HCLr.fst"], check=True, env={**os.environ, "LD_LIBRARY_PATH": PLUGINS})
    new = dict(tuple(map(int, line.split())) for line in open(g + "/relabel"))
    os.remove(g + "/HCL.fst")
    os.remove(g + "/relabel")
    wid = {w: new[i] for w, i in wid.items()}

    G = pynini.Fst()
    state = {h: G.add_state() for h in probs}
    G.set_start(state[(lm.BOS,)])

    def dest(h):
        while h not in state:
            h = h[1:]
        return state[h]

    for h, d in probs.items():
        for w, p in d.items():
            if w == lm.EOS:
                G.set_final(state[h], pynini.Weight("tropical", -math.log(p)))
            elif w in wid:
                arc(G, state[h], wid[w], wid[w], -math.log(p), dest((h + (w,))[-2:]))
        if h:
            arc(G, state[h], 0, 0, -math.log(backoff[h]), dest(h[1:]))
    G.arcsort("ilabel")
    G.write(g + "/Gr.fst")
    with open(g + "/disambig_tid.int", "w") as f:
        f.write("".join("%d\n" % (tid0 + k + 1) for k in range(n_dis)))
    with open(g + "/words.txt", "w", encoding="utf-8") as f:
        f.write("<eps> 0\n" + "".join("%s %d\n" % (w, i) for w, i in sorted(wid.items(), key=lambda x: x[1])))
    kind = {"B": "begin", "I": "internal", "E": "end", "S": "singleton"}
    with open(g + "/phones/word_boundary.int", "w") as f:
        f.write("1 nonword\n" + "".join("%d %s\n" % (phone_id(u, p), kind[p]) for u in range(1, len(ids)) for p in POS))
    print("HCLr %.2f MB, Gr %.2f MB, %d words" % (os.path.getsize(g + "/HCLr.fst") / 1e6, os.path.getsize(g + "/Gr.fst") / 1e6, len(wid)))


if __name__ == "__main__":
    main()
