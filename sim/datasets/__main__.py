"""python -m sim.datasets --out FOLDER: write the pairs and the workload as TSV files."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from sim.datasets.pairs import PARTS, pairs
from sim.datasets.workload import workload


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sim.datasets", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--queries", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=7, help="of the workload")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        rows = (
            (pair.kind, "same" if pair.same else "different", pair.first, pair.second)
            for pair in pairs(part)
        )
        _write(options.out / f"pairs-{part}.tsv", ("kind", "label", "first", "second"), rows)
    queries = workload(options.queries, options.seed)
    lines = ((f"{query.at_s:.1f}", query.kind, query.intent, query.text) for query in queries)
    _write(options.out / "workload.tsv", ("at_s", "kind", "intent", "text"), lines)


def _write(path: Path, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    lines = ["\t".join(row) for row in (head, *rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{path}: {len(lines) - 1} rows")


if __name__ == "__main__":
    main()
