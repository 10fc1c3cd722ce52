# mypy: ignore-errors
"""graph/HCLG.fst, words.txt, phones/word_boundary.int.  Never import vosk here."""
import json
import math
import os
import sys
import time
from collections import Counter, defaultdict

import pynini

import corpus
import lm
from kaldi_io import forward_tid, self_loop_tid

OUT = sys.argv[1]
ALL = len(sys.argv) > 2 and sys.argv[2] == "all"     # LM from held-out sentences too
COMMON = int(sys.argv[3]) if len(sys.argv) > 3 else 2500
LM_SCALE = 1.0
SIL_COST = -math.log(0.2)
POS = "BIES"
SIL_PHONE = 1


def phone_id(unit_id, pos):
    return 2 + (unit_id - 1) * 4 + POS.index(pos)


def word_phones(word, ids):
    for r in corpus.readings(word):
        u = [ids[x] for y in r for x in corpus.units(y)]
        if len(u) == 1:
            yield (phone_id(u[0], "S"),)
        else:
            yield tuple(phone_id(x, "B" if i == 0 else "E" if i == len(u) - 1 else "I") for i, x in enumerate(u))


def arc(f, s, i, o, w, d):
    f.add_arc(s, pynini.Arc(i, o, pynini.Weight("tropical", w), d))


def main():
    t = time.time()
    ids = json.load(open("data/units.json"))
    n_phones = 1 + 4 * (len(ids) - 1)
    train, test = corpus.sentences()
    probs, backoff = lm.build(train + test if ALL else train, common=COMMON)
    vocab = sorted(w for w in probs[()] if w not in (lm.BOS, lm.EOS))
    vocab = [w for w in vocab if all(x in ids for r in corpus.readings(w) for y in r for x in corpus.units(y))]
    wid = {w: i + 1 for i, w in enumerate(vocab)}
    word0 = len(vocab) + 1                                  # '#0' on the word side

    # G: a state per history, '#0' marks backing off
    G = pynini.Fst()
    state = {h: G.add_state() for h in probs}
    G.set_start(state[(lm.BOS,)])

    def dest(h, w):
        h = (h + (w,))[-2:]
        while h not in state:
            h = h[1:]
        return state[h]

    for h, d in probs.items():
        for w, p in d.items():
            if w == lm.EOS:
                G.set_final(state[h], pynini.Weight("tropical", -LM_SCALE * math.log(p)))
            elif w in wid:
                arc(G, state[h], wid[w], wid[w], -LM_SCALE * math.log(p), dest(h, w))
        if h:
            arc(G, state[h], word0, 0, -LM_SCALE * math.log(backoff[h]), dest(h[1:], "") if h[1:] not in state else state[h[1:]])

    # L: one looping state; EVERY word with a homophone ends in a disambiguation
    # symbol (were the first of a set left bare, determinisation would carry its
    # label over to all ~80 following phones and the graph would grow threefold)
    L = pynini.Fst()
    loop = L.add_state()
    L.set_start(loop)
    L.set_final(loop)
    seen = defaultdict(int)
    dis0 = n_phones + 1
    max_dis = 0
    share = Counter(ph for w in vocab for ph in word_phones(w, ids))
    for w in vocab:
        for ph in word_phones(w, ids):
            seen[ph] += 1
            k = seen[ph] if share[ph] > 1 else 0
            max_dis = max(max_dis, k)
            seq = list(ph) + ([dis0 + k] if k else [])
            s = loop
            for i, p in enumerate(seq):
                d = loop if i == len(seq) - 1 else L.add_state()
                arc(L, s, p, wid[w] if i == 0 else 0, 0.0, d)
                s = d
    arc(L, loop, SIL_PHONE, 0, SIL_COST, loop)
    arc(L, loop, dis0, word0, 0.0, loop)
    L.arcsort("olabel")
    G.arcsort("ilabel")
    LG = pynini.compose(L, G)
    print("G %d states, LG %d states before det, %d homophones max" % (G.num_states(), LG.num_states(), max_dis), flush=True)
    LG = pynini.determinize(LG)
    em = pynini.EncodeMapper("standard", encode_labels=True, encode_weights=True)
    LG.encode(em)
    LG.minimize()
    LG.decode(em)
    print("LG det+min %d states  %.0f s" % (LG.num_states(), time.time() - t), flush=True)

    # H with self-loops: state (d, phone) follows every arc carrying a phone
    H = pynini.Fst()
    base = [H.add_state() for _ in range(LG.num_states())]
    incoming = defaultdict(set)
    for s in LG.states():
        for a in LG.arcs(s):
            incoming[a.nextstate].add(a.ilabel if a.ilabel <= n_phones else 0)
    split = {}

    def enter(d, p):
        key = (d, p)
        if key not in split:
            if incoming[d] == {p} and d != LG.start():
                q = base[d]
            else:
                q = H.add_state()
                arc(H, q, 0, 0, 0.0, base[d])
            arc(H, q, self_loop_tid(p), 0, 0.0, q)
            split[key] = q
        return split[key]

    H.set_start(base[LG.start()])
    for s in LG.states():
        f = float(LG.final(s))
        if f != float("inf"):
            H.set_final(base[s], LG.final(s))
        for a in LG.arcs(s):
            if 0 < a.ilabel <= n_phones:
                arc(H, base[s], forward_tid(a.ilabel), a.olabel, float(a.weight), enter(a.nextstate, a.ilabel))
            else:
                arc(H, base[s], 0, a.olabel, float(a.weight), base[a.nextstate])
    H.connect()
    H.arcsort("ilabel")
    os.makedirs(OUT + "/graph/phones", exist_ok=True)
    H.write(OUT + "/graph/HCLG.fst")
    with open(OUT + "/graph/words.txt", "w", encoding="utf-8") as f:
        f.write("<eps> 0\n" + "".join("%s %d\n" % (w, i) for w, i in wid.items()))
        f.write("#0 %d\n<s> %d\n</s> %d\n" % (word0, word0 + 1, word0 + 2))
    kind = {"B": "begin", "I": "internal", "E": "end", "S": "singleton"}
    with open(OUT + "/graph/phones/word_boundary.int", "w") as f:
        f.write("1 nonword\n" + "".join("%d %s\n" % (phone_id(u, p), kind[p]) for u in range(1, len(ids)) for p in POS))
    arcs = sum(H.num_arcs(s) for s in H.states())
    print("HCLG %d states %d arcs %d words %.1f MB  %.0f s" % (H.num_states(), arcs, len(wid), os.path.getsize(OUT + "/graph/HCLG.fst") / 1e6, time.time() - t))


if __name__ == "__main__":
    main()
