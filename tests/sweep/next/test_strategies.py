"""What every strategy promises, and what each of them looks for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sweep.next.strategies.registry import DEFAULT, STRATEGIES, get_strategy
from sweep.next.strategies.strategy import Pool, Strategy
from trainables.errors import ExperimentError

EVERY = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)


def pool(
    features: NDArray[np.float32] | None = None,
    *,
    count: int = 40,
    labelled: int = 5,
    classes: int = 2,
    entropy: NDArray[np.float32] | None = None,
    members: bool = True,
) -> Pool:
    random = np.random.default_rng(3)
    points = random.normal(size=(count, 6)).astype(np.float32) if features is None else features
    count = len(points)
    shares = random.dirichlet(np.ones(classes), count).astype(np.float32)
    return Pool(
        features=points,
        entropy=random.random(count).astype(np.float32) if entropy is None else entropy,
        disagreement=random.random(count).astype(np.float32) * np.float32(members),
        shares=shares,
        labelled_features=random.normal(size=(labelled, points.shape[1])).astype(np.float32),
        labelled_shares=random.dirichlet(np.ones(classes), labelled).astype(np.float32).reshape(labelled, classes),
    )


def choose(strategy: Strategy, one: Pool, count: int, seed: int = 0) -> list[int]:
    return [int(number) for number in strategy.choose(one, count, np.random.default_rng(seed))]


@EVERY
@pytest.mark.parametrize("count", [1, 7, 40])
@pytest.mark.parametrize("labelled", [0, 5])
def test_as_many_different_windows_as_asked_for(strategy: Strategy, count: int, labelled: int) -> None:
    chosen = choose(strategy, pool(labelled=labelled), count)
    assert len(chosen) == len(set(chosen)) == count and set(chosen) <= set(range(40))


@EVERY
def test_the_same_seed_chooses_the_same(strategy: Strategy) -> None:
    assert choose(strategy, pool(), 7) == choose(strategy, pool(), 7)


@EVERY
@pytest.mark.parametrize(
    "odd",
    [
        lambda: pool(np.zeros((12, 4), np.float32)),
        lambda: pool(np.ones((1, 3), np.float32)),
        lambda: pool(count=12, entropy=np.zeros(12, np.float32), members=False),
        lambda: pool(count=12, classes=5),
        lambda: pool(np.repeat(np.eye(2, dtype=np.float32), 10, 0)),
    ],
    ids=["all alike", "a single one", "no uncertainty", "five classes", "two kinds"],
)
def test_odd_pools_are_chosen_from(strategy: Strategy, odd: Callable[[], Pool]) -> None:
    one = odd()
    for count in {1, len(one)}:
        assert sorted(set(choose(strategy, one, count))) == sorted(choose(strategy, one, count))


def test_uncertainty_takes_the_least_sure_first() -> None:
    entropy = np.linspace(0, 1, 40, dtype=np.float32)
    assert choose(STRATEGIES["uncertainty"], pool(entropy=entropy, members=False), 3) == [39, 38, 37]


def test_disagreement_counts_as_much_as_entropy() -> None:
    one = pool(count=3, entropy=np.array([0.1, 0.2, 0.9], np.float32))
    one = Pool(**{**vars(one), "disagreement": np.array([0.9, 0.1, 0.5], np.float32)})
    assert one.uncertainty.tolist() == [0.5, 0.25, 0.75]


def test_diverse_takes_one_of_each_kind_that_is_not_labelled() -> None:
    random = np.random.default_rng(0)
    centres = np.repeat(np.array([[0, 0], [50, 0], [0, 50], [50, 50]], np.float32), 10, 0)
    points = (centres + random.normal(size=centres.shape)).astype(np.float32)
    one = Pool(**{**vars(pool(points, labelled=1)), "labelled_features": points[:1]})
    chosen = choose(STRATEGIES["diverse"], one, 3)
    assert sorted(number // 10 for number in chosen) == [1, 2, 3]


def test_both_takes_different_kinds_of_the_uncertain_half() -> None:
    random = np.random.default_rng(0)
    kinds = np.repeat(np.array([[0, 0], [80, 0], [0, 80], [80, 80]], np.float32), 10, 0)
    points = (kinds + random.normal(size=kinds.shape)).astype(np.float32)
    entropy = np.where(np.arange(40) < 20, 0.9, 0.1).astype(np.float32)
    one = pool(points, entropy=entropy, labelled=0, members=False)
    chosen = choose(STRATEGIES["both"], one, 2)
    assert sorted(number // 10 for number in chosen) == [0, 1]


def test_rare_asks_for_the_class_that_is_labelled_least_until_it_is_no_longer() -> None:
    one = pool(count=4, labelled=1, classes=3)
    shares = np.array([[1, 0, 0], [0.9, 0.1, 0], [0.5, 0, 0.5], [0.4, 0, 0.6]], np.float32)
    labelled = np.array([[5.0, 1.0, 0.0]], np.float32)
    one = Pool(**{**vars(one), "shares": shares, "labelled_shares": labelled})
    assert choose(STRATEGIES["rare"], one, 3)[0] == 3
    assert choose(STRATEGIES["rare"], one, 4)[-1] == 0


def test_a_pool_refuses_numbers_that_do_not_belong_together() -> None:
    good = vars(pool())
    with pytest.raises(ValueError, match="as many features"):
        Pool(**{**good, "entropy": good["entropy"][:3]})
    with pytest.raises(ValueError, match="not finite"):
        Pool(**{**good, "features": good["features"] * np.float32("nan")})


def test_a_misspelt_strategy_is_told_the_nearest() -> None:
    with pytest.raises(ExperimentError, match="--strategy divers: does not exist; did you mean 'diverse'"):
        get_strategy("divers")
    assert DEFAULT.name == "both"
