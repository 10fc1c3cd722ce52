# mypy: ignore-errors
"""Backed-off word trigram (Witten-Bell) with a unigram floor of common words."""
import math
from collections import Counter, defaultdict

import corpus

BOS, EOS = "<s>", "</s>"


def build(sentences, order=3, common=2500, common_mass=0.15):
    grams = [defaultdict(Counter) for _ in range(order)]
    for s in sentences:
        w = [BOS] + list(corpus.segment(s)) + [EOS]
        for i in range(1, len(w)):
            for n in range(order):
                if i - n >= 0:
                    grams[n][tuple(w[i - n:i])][w[i]] += 1
    uni = grams[0][()]
    total = sum(uni.values())
    words = corpus.common_words(common)
    csum = sum(math.sqrt(c) for _, c in words)
    p0 = {w: (1 - common_mass) * c / total for w, c in uni.items()}
    for w, c in words:
        p0[w] = p0.get(w, 0.0) + common_mass * math.sqrt(c) / csum
    probs = {(): p0}
    backoff = {}

    def lower(h, w):
        if h in probs:
            return probs[h].get(w) if w in probs[h] else backoff[h] * lower(h[1:], w)
        return lower(h[1:], w)

    for n in range(1, order):
        for h, cnt in grams[n].items():
            c, t = sum(cnt.values()), len(cnt)
            d = {w: (k + t * lower(h[1:], w)) / (c + t) for w, k in cnt.items()}
            left = 1 - sum(d.values())
            rest = 1 - sum(lower(h[1:], w) for w in cnt)
            probs[h] = d
            backoff[h] = max(left, 1e-4) / max(rest, 1e-4)
    return probs, backoff
