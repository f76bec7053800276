"""Which policy and which sampler find a good recipe with few epochs: thousands of searches over recorded curves.

Run with ``python -m benchmarks.replay``; about a minute. ``--record`` first trains what is searched
(``benchmarks.curves``), about fifteen minutes of one core; a run that was stopped continues.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from sweep.search.warm import MOST_STARTS

GOOD = 0.95
"""Share of the full search's best val IoU from which on a search counts as good."""
LONG, SHORT = (30, curves.EPOCHS), (6, 5)
"""Trials and epochs of an architecture's search: the paper profile's at fewer epochs, and the demo's."""
LEARNT = 20
"""Trials of the searches that compare samplers: beyond that, few recorded recipes are left to choose among."""
STARTUPS = (3, 6, 10)
OTHER_SEEDS = 1_000_000
"""Between the seeds of a search and of the earlier one."""


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
        earlier: Trials and epochs of an earlier search, with whose best recipes this one begins; None begins with none.
        rivals: Whether rungs begin with the curve of the shared recipe, as Phase 1 has trained it.
    """

    way: str
    grace: int = 1
    factor: int = 3
    trials: int = LONG[0]
    epochs: int = LONG[1]
    sampler: str = "random"
    startup: int = 10
    earlier: tuple[int, int] | None = None
    rivals: bool = False

    def search(self, architecture: str) -> Search:
        """Return the search of an architecture."""
        settings = {"max_epochs": self.epochs, "grace_epochs": self.grace, "reduction_factor": self.factor}
        recorded = recordings()[architecture]
        return Search(
            recorded=recorded,
            space=curves.space_of(architecture),
            policy=make_policy(self.way, settings),
            trials=self.trials,
            epochs=self.epochs,
            sampler=self.sampler,
            startup=self.startup,
            rivals={"phase1": dict(enumerate(recorded[0].curve[: self.epochs], start=1))} if self.rivals else {},
        )

    def begun(self, architecture: str, seed: int) -> Search:
        """Return the search of an architecture that begins with the best recipes of an earlier one."""
        search = self.search(architecture)
        if self.earlier is None:
            return search
        trials, epochs = self.earlier
        before = replace(self, earlier=None, trials=trials, epochs=epochs)
        found = replay(before.search(architecture), seed + OTHER_SEEDS).trials
        ended = [trial for trial in found if trial.outcome == "finished" and trial.recipe]
        ended.sort(key=lambda trial: -max(trial.curve.values()))
        most = min(MOST_STARTS, (self.trials - 1) // 2)
        return replace(search, starts=tuple(trial.recipe for trial in ended[:most]))


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one replayed search came to, beside others of the same seed.

    Attributes:
        architecture: Whose recipes were searched.
        found: Best val IoU.
        epochs: Share of the epochs of the full search: as many trials, drawn at random, nobody stopped.
        best: Best val IoU, as a share of the full search's.
        gain: Best val IoU less that of a random search of so few full trainings that they take as many epochs.
    """

    architecture: str
    found: float
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
    return [_score(names[number % len(names)], setting, number) for number in range(replays)]


def _score(architecture: str, setting: Setting, seed: int) -> Score:
    search = setting.begun(architecture, seed)
    found = replay(search, seed)
    drawn = [best_of(search, recipe) for recipe in Order(search, seed).at_random]
    equal = -(-found.epochs // search.epochs)  # the last training is not cut
    return Score(
        architecture=architecture,
        found=found.best,
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


def beginnings() -> list[Setting]:
    """List what is compared of beginnings: with the best recipes of an earlier search, and with Phase 1's curve."""
    found = []
    for way in ("pause", "stop"):
        long = Setting(way=way, grace=2)
        short = Setting(way=way, factor=2, trials=SHORT[0], epochs=SHORT[1])
        for setting, earlier in ((long, (SHORT, LONG)), (short, (SHORT,))):
            found += [replace(setting, earlier=one) for one in earlier]
            found += [replace(setting, rivals=True)] if way == "stop" else []
    return found


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


def beginning_table(settings: Sequence[Setting], replays: int) -> str:
    """Write what beginnings bring beside the same search, with the same seed, that begins with the shared recipe."""
    headings = ("IoU above it, mean", "worst architecture", "searches above it", "below it", "epochs of it, mean")
    lines = [
        _line("beside the shared recipe", "`--halving`", "trials of epochs", *headings),
        _line("---", "---", "---", *("--:" for _ in headings)),
    ]
    for setting in settings:
        plain = scores(replace(setting, earlier=None, rivals=False), replays)
        found = scores(setting, replays)
        gains = np.array([one.found - other.found for one, other in zip(found, plain, strict=True)])
        names = np.array([one.architecture for one in found])
        words = "its curve of Phase 1, for the rungs"
        if setting.earlier:
            words = f"the best of {setting.earlier[0]} trials of {setting.earlier[1]} epochs"
        lines.append(
            _line(
                words,
                setting.way,
                f"{setting.trials} of {setting.epochs}",
                f"{gains.mean():+.3f}",
                f"{min(gains[names == name].mean() for name in set(names)):+.3f}",
                f"{(gains > 0).mean():.0%}",
                f"{(gains < 0).mean():.0%}",
                f"{sum(one.epochs for one in found) / sum(one.epochs for one in plain):.0%}",
            )
        )
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
    ways: dict[str, list[str]] = {}
    for one in rows([Setting(way="stop", grace=2), Setting(way="pause", grace=2)], replays):
        best, worst, epochs = one.quantile("best", 0.5), one.quantile("best", 0.1), one.quantile("epochs", 0.5)
        said = f"{best:.0%} (worst tenth {worst:.0%}) of a full search's best val IoU with {epochs:.0%} of its epochs"
        ways.setdefault(said, []).append(f"`{one.setting.way}`")
    return [
        f"{' and '.join(names)} {'both reach' if len(names) > 1 else 'reaches'} {said}" for said, names in ways.items()
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
    report.table(beginning_table(beginnings(), given.replays))
    if given.samplers:
        found = [one for way in ("stop", "pause") for one in rows(samplers(way, 2, 3), given.replays // 5)]
        report.table(sampler_table(found))
    for number, line in enumerate(user_lines(given.replays)):
        report.note(f"docs/phase2.md, {number + 1}", line)
    report.note(f"CPU seconds of 10,000 searches of {LONG[0]} trials", 10_000 / pace)
    report.write()


if __name__ == "__main__":
    main()
