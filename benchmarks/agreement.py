"""How often one seed names the winner that all seeds together name: a single val split against folds.

Run with ``python -m benchmarks.agreement STORAGE``, where Phase 1 ran for each seed as ``study-SEED-split`` and, with
``--folds``, as ``study-SEED-folds``. It reads their leaderboards and trains nothing.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import pyarrow.parquet as pq

WAYS = {"split": "single split", "folds": "folds by scene"}


@dataclass(frozen=True)
class Outcome:
    """What one sweep says.

    Attributes:
        scores: Contender to val IoU, in [0, 1].
        winner: Who is called the winner; empty where others are tied with the first.
    """

    scores: Mapping[str, float]
    winner: str

    @property
    def order(self) -> list[str]:
        """Contenders, the highest score first."""
        return sorted(self.scores, key=lambda name: -self.scores[name])


def read_outcome(experiment: Path) -> Outcome:
    """Read what a Phase 1 sweep says of its contenders."""
    rows = pq.read_table(experiment / "leaderboard.parquet", columns=["title", "rank", "tied", "val_iou"]).to_pylist()
    first = min(rows, key=lambda row: row["rank"] or math.inf)  # a tie marks all in it, the first one too
    return Outcome({row["title"]: row["val_iou"] for row in rows}, "" if first["tied"] else first["title"])


def table(ways: Mapping[str, Sequence[Outcome]]) -> str:
    """Compare ways of validation, each with an outcome per seed, as a Markdown table.

    Args:
        ways: Name to outcomes of the same contenders. What all seeds together name is by each way's own means.
    """
    names = ways[next(iter(ways))][0].order
    rows: dict[str, list[str]] = {"": list(ways), **{f"val IoU of {name}, mean (sd) over seeds": [] for name in names}}
    for outcomes in ways.values():
        means = {name: fmean(one.scores[name] for one in outcomes) for name in names}
        order = sorted(names, key=lambda name: -means[name])
        count = len(outcomes)
        for name in names:
            spread = stdev(one.scores[name] for one in outcomes)
            rows[f"val IoU of {name}, mean (sd) over seeds"].append(f"{means[name]:.3f} ({spread:.3f})")
        found = {
            "highest score: the same contender as by all seeds together": sum(
                one.order[0] == order[0] for one in outcomes
            ),
            "the same order of all contenders": sum(one.order == order for one in outcomes),
            "a winner is named, and it is that one": sum(one.winner == order[0] for one in outcomes),
            "a winner is named, and it is another one": sum(one.winner not in ("", order[0]) for one in outcomes),
        }
        for words, number in found.items():
            rows.setdefault(words, []).append(f"{number} of {count}")
    head, *body = ([words, *cells] for words, cells in rows.items())
    lines = [head, ["---", *["--:"] * len(ways)], *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("storage", type=Path, help="the folder of the experiments")
    storage = parser.parse_args(arguments).storage
    outcomes = {
        (match[1], match[2]): read_outcome(path)
        for path in sorted(storage.iterdir())
        if (match := re.fullmatch(r"study-(\d+)-(split|folds)", path.name)) and (path / "leaderboard.parquet").exists()
    }
    found = {key: one for key, one in outcomes.items() if None not in one.scores.values()}  # the finished ones
    seeds = [seed for seed, way in found if way == "folds" and (seed, "split") in found]
    compared = table({words: [found[seed, way] for seed in seeds] for way, words in WAYS.items()})
    sys.stdout.write(f"{len(seeds)} seeds\n{compared}\n")


if __name__ == "__main__":
    main()
