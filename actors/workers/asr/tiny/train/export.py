# mypy: ignore-errors
"""am.npz -> OUT/am/final.mdl and OUT/conf.  Never import pynini or vosk here."""
import json
import os
import sys

import numpy as np

from kaldi_io import Writer, write_nnet, write_transition_model

OUT = sys.argv[1]
BITS = int(sys.argv[2]) if len(sys.argv) > 2 else 16
SRC = sys.argv[3] if len(sys.argv) > 3 else "am.npz"
SCALE = sys.argv[4] if len(sys.argv) > 4 else "1.0"

a = np.load(SRC)
offsets = json.loads(str(a["offsets"]))
ids = json.load(open("data/units.json"))
pdfs = [(0, 1)] + [(2 * u, 2 * u + 1) for u in range(1, len(ids)) for _ in range(4)]
for d in ("am", "conf"):
    os.makedirs(OUT + "/" + d, exist_ok=True)
w = Writer(OUT + "/am/final.mdl")
write_transition_model(w, pdfs)
write_nnet(w, [(o, a["w%d" % i], a["b%d" % i]) for i, o in enumerate(offsets)], a["priors"], 40, BITS)
w.close()
with open(OUT + "/conf/mfcc.conf", "w") as f:
    f.write("--use-energy=false\n--sample-frequency=16000\n--num-mel-bins=40\n--num-ceps=40\n--low-freq=20\n--high-freq=-400\n--dither=0\n")
with open(OUT + "/conf/model.conf", "w") as f:
    f.write("--min-active=200\n--max-active=3000\n--beam=13.0\n--lattice-beam=4.0\n--acoustic-scale=%s\n"
            "--frame-subsampling-factor=3\n--endpoint.silence-phones=1\n--endpoint.rule2.min-trailing-silence=0.5\n"
            "--endpoint.rule3.min-trailing-silence=0.75\n--endpoint.rule4.min-trailing-silence=1.0\n" % SCALE)
