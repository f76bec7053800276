"""``--gpus-per-trial auto``: as many trials share a GPU as fit, by what each architecture was measured to need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from rich.console import Console

from sweep.planning.disk import size
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.resources import AUTO, ResourceRequest, Resources
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.recipe import FIELDS
from trainables.recipe_fields import MEMORY, marked

MARGIN_PERCENT = 10
"""Share of a GPU's memory that stays free: allocators fragment, and drivers keep some for themselves."""
MOST_TRIALS = 8
"""Trials per GPU at most, however small: they share its arithmetic, and each needs CPU cores for its views."""
MEMORY_FIELDS = marked(FIELDS, MEMORY)
"""Recipe fields that decide how much memory a training takes."""


@dataclass(frozen=True, kw_only=True)
class MemoryNeeds:
    """What was measured on one GPU, which stands for all of them.

    Attributes:
        gpu_bytes: The GPU's memory, at least 1.
        architectures: Architecture to the bytes that its largest trial holds at most, at least 1 each.
    """

    gpu_bytes: int
    architectures: Mapping[str, int]

    @property
    def usable_bytes(self) -> int:
        """The GPU's memory without the margin."""
        return self.gpu_bytes * (100 - MARGIN_PERCENT) // 100

    @property
    def fitting(self) -> int:
        """How many trials fit on a GPU, whichever architectures meet there; 0 where the largest does not fit alone."""
        return self.usable_bytes // max(self.architectures.values())

    @property
    def too_large(self) -> list[str]:
        """Architectures that leave no margin on a GPU of their own."""
        return [name for name, need in self.architectures.items() if need > self.usable_bytes]


Probe = Callable[[Sequence[TrialPlan], TuningData], MemoryNeeds]
"""Measures trials one after another on one GPU."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How many trials share each GPU, and why.

    Attributes:
        trials_per_gpu: From 1 to ``MOST_TRIALS``.
        needs: What was measured.
    """

    trials_per_gpu: int
    needs: MemoryNeeds

    @property
    def share(self) -> float:
        """Each trial's share of a GPU, rounded down to the four digits that Ray counts."""
        return 10_000 // self.trials_per_gpu / 10_000

    @property
    def lines(self) -> list[str]:
        """What was decided, for people."""
        trials = f"{self.trials_per_gpu} trial{'s' if self.trials_per_gpu > 1 else ''} per GPU"
        room = f", room for {self.needs.fitting}" if self.needs.fitting > self.trials_per_gpu else ""
        needs = ", ".join(f"{name} {size(need)}" for name, need in self.needs.architectures.items())
        lines = [f"packing        {trials} ({size(self.needs.gpu_bytes)}{room}): {needs} at most"]
        if large := self.needs.too_large:
            lines.append(
                f"packing        {', '.join(large)}: does not fit a GPU with {MARGIN_PERCENT} % to spare; every trial "
                f"gets a whole one, and saves memory where it runs out"
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; the share is there for people."""
        return {**asdict(self), "share": self.share}

    @classmethod
    def from_dict(cls, values: Any) -> Packing:
        """Read what ``to_dict`` returned.

        Raises:
            ExperimentError: It is something else.
        """
        try:
            trials, gpu_bytes = int(values["trials_per_gpu"]), int(values["needs"]["gpu_bytes"])
            needs = {str(name): int(need) for name, need in values["needs"]["architectures"].items()}
            if not (1 <= trials <= MOST_TRIALS and gpu_bytes > 0 and min(needs.values()) > 0):
                raise ValueError("out of range")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ExperimentError(
                f"sweep.json: its packing is damaged ({type(error).__name__}: {error}); "
                f"restore it, or give --gpus-per-trial a number"
            ) from error
        return cls(trials_per_gpu=trials, needs=MemoryNeeds(gpu_bytes=gpu_bytes, architectures=needs))


def share_gpus(
    request: ResourceRequest,
    plan: SweepPlan,
    data: TuningData,
    whole: Resources,
    console: Console,
    *,
    probe: Probe,
    kept: Packing | None = None,
) -> tuple[Resources, Packing | None]:
    """Pack as many trials on each GPU as fit, where ``--gpus-per-trial auto`` asks for it.

    Args:
        request: What the user asked for.
        plan: What is trained.
        data: On which tiles.
        whole: What the trials get with a GPU each.
        console: Where to say that something is measured.
        probe: Measures what architectures need; not called where a GPU serves one trial at a time anyway.
        kept: What was decided when the sweep began; None to decide now.

    Returns:
        What the trials get, and why; the same as before and None where nothing is packed.
    """
    if request.gpus_per_trial != AUTO or whole.device != "cuda":
        return whole, None
    if kept is None:
        most = _most_per_gpu(whole, min(plan.total, request.max_concurrent or plan.total))
        if most == 1:
            return whole, None
        trials = heaviest(plan)
        names = dict.fromkeys(trial.recipe.architecture for trial in trials)
        console.print(f"packing        measuring the memory of {', '.join(names)}")
        needs = probe(trials, largest_tiles(data))
        kept = Packing(trials_per_gpu=max(1, min(needs.fitting, most)), needs=needs)
    packed = replace(request, device="cuda", gpus_per_trial=kept.share)
    found = packed.divide(trials=plan.total, total_cpus=whole.total_cpus, total_gpus=whole.total_gpus)
    return replace(found, grows=whole.grows), kept


def _most_per_gpu(whole: Resources, trials: int) -> int:
    """Return beyond how many trials per GPU more of them are of no use: Ray fills one GPU before it takes the next."""
    gpus = max(1, int(whole.total_gpus))
    return max(1, min(MOST_TRIALS, -(-trials // gpus), whole.total_cpus // gpus))


def heaviest(plan: SweepPlan) -> list[TrialPlan]:
    """Return one trial of each kind that differs in memory; of a search, the largest that it can propose."""
    trials = [*plan.trials, *(_largest(study) for study in plan.studies)]
    kinds = {tuple(getattr(trial.recipe, name) for name in MEMORY_FIELDS): trial for trial in reversed(trials)}
    return list(kinds.values())[::-1]


def _largest(study: StudyPlan) -> TrialPlan:
    recipe = study.template.recipe
    numbers = [name for name in MEMORY_FIELDS if name in study.space and not isinstance(getattr(recipe, name), str)]
    changes: dict[str, Any] = {name: _maximum(study.space[name]) for name in numbers}
    precision = study.space.get("precision")
    if isinstance(precision, CategoricalDistribution) and "fp32" in precision.choices:
        changes["precision"] = "fp32"
    return replace(study.template, recipe=recipe.replace(**changes))


def _maximum(values: BaseDistribution) -> Any:
    if isinstance(values, CategoricalDistribution):
        return max(values.choices)  # type: ignore[type-var]
    assert isinstance(values, IntDistribution | FloatDistribution)
    return values.high


def largest_tiles(data: TuningData) -> TuningData:
    """Return the same data with one tile per split: that of the largest views, and the largest that is scored."""
    return replace(
        data,
        train=(max(data.train, key=lambda tile: min(tile.mask.shape)),),
        val=(max(data.val, key=lambda tile: tile.mask.size),),
    )
