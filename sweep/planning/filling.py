"""``--fill``: GPUs that would be idle train the longest architectures again, with other seeds."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import replace

from search_spaces.limits import require_few
from sweep.planning.estimate import Estimator
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import Resources
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.models.probe_names import is_probe


def fill(
    plan: SweepPlan, data: TuningData, resources: Resources, most: int | None
) -> tuple[SweepPlan, Resources, tuple[str, ...]]:
    """Add a training for each place on a GPU that no trial of a plan would take.

    The longest come first, and each architecture is trained once more before any is twice more.

    Args:
        plan: What is trained; its contenders' trainings differ in the seed.
        data: On which tiles.
        resources: What the trials get.
        most: Trials side by side at most; None for no limit.

    Returns:
        The plan, what its trials get, and the names of those that were added; the same where no GPU would be idle.
    """
    share = resources.gpus_per_trial
    longest = Estimator(data=data, device="cuda")
    trained = [trial for trial in plan.trials if not is_probe(trial.recipe.architecture)]
    if not resources.idle_gpus or not trained:
        return plan, resources, ()
    free = int(resources.idle_gpus / share)
    free = free if most is None else max(0, min(free, most - resources.concurrent))
    ordered = sorted(trained, key=lambda trial: -longest.planned(trial))
    by_contender = {trial.contender or trial.contest: trial for trial in reversed(ordered)}
    contenders = list(by_contender)[::-1]
    require_few(plan.total + free, "--fill")
    counts = Counter(trial.contender or trial.contest for trial in plan.trials)
    seeds = {name: max(t.recipe.seed for t in trained if (t.contender or t.contest) == name) for name in contenders}
    extra: list[TrialPlan] = []
    for number in range(free):
        name = contenders[number % len(contenders)]
        counts[name] += 1
        seeds[name] += 1
        trial = by_contender[name]
        attempt = f"{name}-{counts[name]}"
        recipe = trial.recipe.replace(seed=seeds[name])
        extra.append(replace(trial, attempt=attempt, contest=attempt, contender=name, recipe=recipe))
    concurrent = resources.concurrent + len(extra)
    found = replace(
        resources,
        concurrent=concurrent,
        cpus_per_trial=max(1, min(resources.cpus_per_trial, resources.total_cpus // concurrent)),
        idle_gpus=int(resources.idle_gpus - len(extra) * share),
    )
    return replace(plan, trials=(*plan.trials, *extra)), found, tuple(trial.attempt for trial in extra)


def with_filled(plan: SweepPlan, begun: SweepPlan, names: tuple[str, ...]) -> SweepPlan:
    """Return a plan with the trials that were added to it when it began, whatever GPUs there are now."""
    return replace(plan, trials=(*plan.trials, *(trial for trial in begun.trials if trial.attempt in names)))


def idle_share(plan: SweepPlan, resources: Resources, estimator: Estimator) -> float:
    """Estimate the share of the GPUs' time in which they have nothing to do, in [0, 1]; 0 on a CPU.

    Trials are thought of as taken up one by one, the longest first, each of a search as long as they are on average.
    """
    if resources.device != "cuda":
        return 0.0
    lengths = [estimator.planned(trial) for trial in (*plan.trials, *plan.refits)]
    for study in plan.studies:
        lengths += [estimator.study(study, plan.policy)[1] / study.trials] * study.trials
    ends = [0.0] * resources.concurrent
    for length in sorted(lengths, reverse=True):
        heapq.heappush(ends, heapq.heappop(ends) + length)
    whole = max(ends) * resources.total_gpus
    return max(0.0, 1 - sum(lengths) * resources.gpus_per_trial / whole) if whole else 0.0
