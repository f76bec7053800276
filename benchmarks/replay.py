"""Which policy and which sampler find a good recipe with few epochs: thousands of searches over recorded curves.

Run with ``python -m benchmarks.replay``; about a minute. ``--record`` first trains what is searched
(``benchmarks.curves``), about fifteen minutes of one core; a run that was stopped continues.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import optuna
from scipy.stats import spearmanr

from benchmarks import curves
from benchmarks.curves import Recorded
from benchmarks.replaying import Order, Search, replay
from benchmarks.report import Report
from sweep.planning.policies import make_policy

GOOD = 0.95
"""Share of the full search's best val IoU from which on a search counts as good."""
LONG, SHORT = (30, curves.EPOCHS), (6, 5)
"""Trials and epochs of an architecture's search: the paper profile's at fewer epochs, and the demo's."""
LEARNT = 20
"""Trials of the searches that compare samplers: beyond that, few recorded recipes are left to choose among."""
STARTUPS = (3, 6, 10)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a table's row is about.

    Attributes:
        way: The policy, as ``--halving`` names it.
        grace: ``--grace-period``.
        factor: ``--reduction-factor``.
        trials: Of a search.
        epochs: Of a full training.
        sampler: As ``--sampler`` names it.
        startup: Trials that the sampler draws at random.
    """

    way: str
    grace: int = 1
    factor: int = 3
    trials: int = LONG[0]
    epochs: int = LONG[1]
    sampler: str = "random"
    startup: int = 10

    def search(self, architecture: str) -> Search:
        """Return the search of an architecture."""
        settings = {"max_epochs": self.epochs, "grace_epochs": self.grace, "reduction_factor": self.factor}
        return Search(
            recorded=recordings()[architecture],
            space=curves.space_of(architecture),
            policy=make_policy(self.way, settings),
            trials=self.trials,
            epochs=self.epochs,
            sampler=self.sampler,
            startup=self.startup,
        )


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one replayed search came to, beside others of the same seed.

    Attributes:
        architecture: Whose recipes were searched.
        epochs: Share of the epochs of the full search: as many trials, drawn at random, nobody stopped.
        best: Best val IoU, as a share of the full search's.
        gain: Best val IoU less that of a random search of so few full trainings that they take as many epochs.
    """

    architecture: str
    epochs: float
    best: float
    gain: float


@cache
def recordings() -> Mapping[str, Sequence[Recorded]]:
    """Read the committed curves once."""
    return curves.read()


def scores(setting: Setting, replays: int) -> list[Score]:
    """Replay searches with seeds from 0 on, in turn over the architectures.

    Args:
        setting: Of all of them.
        replays: How many in all.
    """
    names = list(recordings())
    searches = {name: setting.search(name) for name in names}
    return [
        _score(names[number % len(names)], searches[names[number % len(names)]], number) for number in range(replays)
    ]


def _score(architecture: str, search: Search, seed: int) -> Score:
    found = replay(search, seed)
    drawn = [best_of(search, recipe) for recipe in Order(search, seed).at_random]
    equal = -(-found.epochs // search.epochs)  # the last training is not cut
    return Score(
        architecture=architecture,
        epochs=found.epochs / (search.trials * search.epochs),
        best=found.best / max(drawn[: search.trials]),
        gain=found.best - max(drawn[:equal]),
    )


def best_of(search: Search, recipe: int) -> float:
    """Return the best val IoU of a recorded recipe's full training."""
    return max(search.recorded[recipe].curve[: search.epochs])


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Many replays of one setting.

    Attributes:
        setting: It.
        scores: One of each.
    """

    setting: Setting
    scores: Sequence[Score]

    def quantile(self, field: str, share: float) -> float:
        """Return a quantile of a field of the scores."""
        return float(np.quantile([getattr(one, field) for one in self.scores], share))

    @property
    def good(self) -> float:
        """Share of the searches that found a good recipe."""
        return float(np.mean([one.best >= GOOD for one in self.scores]))

    @property
    def worst(self) -> float:
        """Median share of the full search's best, of the architecture where it is least."""
        names = {one.architecture for one in self.scores}
        return min(float(np.median([one.best for one in self.scores if one.architecture == name])) for name in names)

    @property
    def least_gain(self) -> float:
        """Mean gain on random search, of the architecture where it is least."""
        names = {one.architecture for one in self.scores}
        return min(float(np.mean([one.gain for one in self.scores if one.architecture == name])) for name in names)

    @property
    def gain(self) -> float:
        """Mean gain on random search."""
        return float(np.mean([one.gain for one in self.scores]))

    @property
    def below(self) -> float:
        """Share of the searches that found less than random search with as many epochs."""
        return float(np.mean([one.gain < 0 for one in self.scores]))

    def cells(self) -> list[str]:
        """Return the figures as a table shows them; see ``HEADINGS``."""
        return [
            f"{self.quantile('epochs', 0.5):.0%}",
            f"{self.quantile('best', 0.5):.3f}",
            f"{self.quantile('best', 0.1):.3f}",
            f"{self.worst:.3f}",
            f"{self.good:.0%}",
            f"{self.gain:+.3f}",
            f"{self.least_gain:+.3f}",
            f"{self.below:.0%}",
        ]


HEADINGS = (
    "epochs of the full search, median",
    "its best val IoU, median",
    "worst tenth",
    "worst architecture",
    f"searches with {GOOD:.0%} of it",
    "IoU above random search of equal epochs, mean",
    "worst architecture",
    "searches below it",
)


def rows(settings: Sequence[Setting], replays: int) -> Iterator[Summary]:
    """Replay each setting."""
    for setting in settings:
        yield Summary(setting=setting, scores=scores(setting, replays))


def policies(trials: int, epochs: int, graces: Sequence[int], factors: Sequence[int]) -> list[Setting]:
    """List what is compared of policies, under random search."""
    return [
        Setting(way=way, grace=grace, factor=factor, trials=trials, epochs=epochs)
        for way in ("stop", "pause")
        for grace in graces
        for factor in factors
    ]


def samplers(way: str, grace: int, factor: int) -> list[Setting]:
    """List what is compared of samplers, under one policy."""
    common = partial(Setting, way=way, grace=grace, factor=factor, trials=LEARNT)
    return [common(), *(common(sampler="tpe", startup=startup) for startup in STARTUPS)]


def policy_table(found: Sequence[Summary]) -> str:
    """Write a table of policies."""
    lines = _heading("`--halving`", "grace", "factor")
    for one in found:
        setting = one.setting
        lines.append(_line(setting.way, str(setting.grace), str(setting.factor), *one.cells()))
    return "".join(lines)


def sampler_table(found: Sequence[Summary]) -> str:
    """Write a table of samplers."""
    lines = _heading("`--sampler`", "`--halving`", "drawn at random")
    for one in found:
        setting = one.setting
        drawn = setting.trials if setting.sampler == "random" else setting.startup
        lines.append(_line(setting.sampler, setting.way, f"{drawn} of {setting.trials}", *one.cells()))
    return "".join(lines)


def user_lines(replays: int) -> list[str]:
    """Say what the paper profile's settings come to under each policy, in few words, for users."""
    return [
        f"`{one.setting.way}` {one.quantile('best', 0.5):.0%} (worst tenth {one.quantile('best', 0.1):.0%}) for "
        f"{one.quantile('epochs', 0.5):.0%}"
        for one in rows([Setting(way="stop", grace=2), Setting(way="pause", grace=2)], replays)
    ]


def curve_table() -> str:
    """Write how much the recorded recipes differ, and how early it shows."""
    early = (1, 3, 5)
    lines = [
        _line("", "recipes", "best val IoU: worst, median, best", "shared recipe", *(f"epoch {one}" for one in early)),
        _line("---", "--:", "--:", "--:", *("--:" for _ in early)),
    ]
    for name, recorded in recordings().items():
        best = [max(one.curve) for one in recorded]
        ranks = [spearmanr([max(one.curve[:epoch]) for one in recorded], best).statistic for epoch in early]
        spread = ", ".join(f"{value:.3f}" for value in (min(best), float(np.median(best)), max(best)))
        lines.append(_line(name, str(len(recorded)), spread, f"{best[0]:.3f}", *(f"{rank:.2f}" for rank in ranks)))
    return "".join(lines)


def _heading(*names: str) -> list[str]:
    return [_line(*names, *HEADINGS), _line(*("---" for _ in names), *("--:" for _ in HEADINGS))]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Record, if asked; replay all settings, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="train what is missing, instead of replaying")
    parser.add_argument("--folder", type=Path, help="of trainings that are being recorded; kept when it is stopped")
    parser.add_argument(
        "--samplers",
        action="store_true",
        help="compare samplers, too; the recorded recipe nearest to a proposal stands for it, which is hard on TPE",
    )
    parser.add_argument(
        "--replays",
        type=int,
        default=1000,
        help="of each setting, over all architectures; a fifth of it where TPE proposes",
    )
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if given.record:
        folder = given.folder or Path(tempfile.gettempdir()) / "tilesweep-curves"
        curves.record(folder)
        curves.gather(folder, curves.TABLE)
        return
    report = Report(name="replay")
    report.table(curve_table())
    started = time.process_time()
    long = list(rows(policies(*LONG, (1, 2, 3), (2, 3, 4)), given.replays))
    pace = len(long) * given.replays / (time.process_time() - started)
    report.table(policy_table(long))
    report.table(policy_table(list(rows(policies(*SHORT, (1, 2), (2, 3)), given.replays))))
    if given.samplers:
        found = [one for way in ("stop", "pause") for one in rows(samplers(way, 2, 3), given.replays // 5)]
        report.table(sampler_table(found))
    for number, line in enumerate(user_lines(given.replays)):
        report.note(f"docs/phase2.md, {number + 1}", line)
    report.note(f"CPU seconds of 10,000 searches of {LONG[0]} trials", 10_000 / pace)
    report.write()


if __name__ == "__main__":
    main()
