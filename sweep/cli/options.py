"""Options that several commands share: typed, documented once, read by tyro."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from tyro.conf import arg
from tyro.constructors import PrimitiveConstructorSpec

from sweep.cli.marks import RARE, Bounds, OnResume, TrackedBy
from trainables.models.sources import SAM_SHA256
from trainables.recipe import MAX_EPOCHS, MAX_FOLDS, MAX_SEED
from trainables.storage import DEFAULT_STORAGE


def comma_separated(metavar: str, read: Callable[[list[str]], Any]) -> PrimitiveConstructorSpec[Any]:
    """Say how one argument with commas is read: ``read`` makes a tuple of its parts; a default may be None."""
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda args: read(args[0].split(",")),
        is_instance=lambda value: value is None or isinstance(value, tuple),
        str_from_instance=lambda value: ["none" if value is None else ",".join(map(str, value))],
    )


Names = Annotated[
    tuple[str, ...], comma_separated("A,B,...", lambda parts: tuple(one.strip() for one in parts if one.strip()))
]
"""A comma-separated list of names."""

Numbers = Annotated[tuple[int, ...], comma_separated("N,N,...", lambda parts: tuple(map(int, parts)))]
"""A comma-separated list of whole numbers."""


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """How much a command says, and to whom."""

    typed: ClassVar[frozenset[str] | None] = None
    """Names of the options that the command line gave; None where they were made in code."""

    quiet: Annotated[bool, OnResume.THIS_RUN] = False
    """Say only what came out and what to do next."""

    json: Annotated[bool, OnResume.THIS_RUN] = False
    """For programs: one JSON object per line on standard output."""


@dataclass(frozen=True, kw_only=True)
class StorageOptions(OutputOptions):
    """Where experiments are."""

    storage: Annotated[str, arg(metavar="DIR|URI"), OnResume.THIS_RUN] = DEFAULT_STORAGE
    """Folder or URI (s3://, gs://) of experiments."""


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """What models run on."""

    device: Annotated[Literal["auto", "cpu", "cuda"], RARE, OnResume.MAY_CHANGE] = "auto"
    """What models run on; auto: a GPU where there is one."""


@dataclass(frozen=True, kw_only=True)
class AddressOptions:
    """Which machines do the work."""

    address: Annotated[str | None, arg(metavar="auto|HOST:PORT"), OnResume.THIS_RUN] = None
    """Work on this running Ray cluster; default: RAY_ADDRESS's, else this machine."""


@dataclass(frozen=True, kw_only=True)
class TrustOptions:
    """Whose code runs."""

    trust_code: Annotated[bool, RARE, OnResume.THIS_RUN] = False
    """Run the Python file or installed package that weights, recipes or an experiment name as their architecture."""


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """Recipes other than the shared one."""

    recipes: Annotated[Path | None, arg(metavar="FILE"), OnResume.FIXED] = None
    """Recipe fields by architecture, as in Phase 2's best_recipes.toml."""


@dataclass(frozen=True, kw_only=True)
class ProbeOptions:
    """Whether there are probes beside what is trained."""

    no_probes: Annotated[bool, RARE, OnResume.FIXED] = False
    """Leave out the probe on each encoder, the floor for what is trained; the smoke profile has none anyway."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What is trained on what."""

    profile: Annotated[str, arg(metavar="paper|demo|smoke"), OnResume.FIXED] = "paper"
    """How big the run is."""

    patches: Annotated[Path, arg(metavar="DIR|URI"), OnResume.MAY_CHANGE] = Path("patches")
    """The dataset: {train,val,test}/{images,masks}/; s3:// and gs://, too."""

    grid: Annotated[Literal["study", "modern"], OnResume.FIXED] = "study"
    """Which architectures: the study's, or those of today."""

    architectures: Annotated[Names, OnResume.FIXED] = ()
    """Which ones; default: the grid's."""


@dataclass(frozen=True, kw_only=True)
class WeightsOptions:
    """Where pretrained weights come from."""

    sam_checkpoint: Annotated[Path | None, arg(metavar="FILE"), RARE, OnResume.FIXED] = None
    """sam_vit_b_01ec64.pth, if it is not in the cache."""

    sam_sha256: Annotated[str, arg(metavar="HEX"), RARE, OnResume.FIXED] = SAM_SHA256
    """Checksum of the SAM file; change it for a fine-tuned ViT-B of your own."""

    offline: Annotated[bool, RARE, OnResume.MAY_CHANGE] = False
    """Never download weights."""


@dataclass(frozen=True, kw_only=True)
class CommonOptions(WeightsOptions, AddressOptions, DeviceOptions, StorageOptions, TrainingOptions, TrustOptions):
    """What every sweep understands, and a study of several."""

    unlabelled: Annotated[Path | None, arg(metavar="DIR"), OnResume.MAY_CHANGE] = None
    """Images without labels: each architecture is also trained with them."""

    folds: Annotated[int | None, arg(metavar="K"), Bounds(2, MAX_FOLDS), OnResume.FIXED] = None
    """Cross-validate with K folds of whole scenes; default: the val split."""

    group_by: Annotated[str | None, arg(metavar="PATTERN"), RARE, OnResume.FIXED] = None
    """A regular expression on tile names that gives their scene, for folds and intervals; default: the manifest."""

    pool_val: Annotated[bool, RARE, OnResume.FIXED] = False
    """With --folds: divide a val split that the dataset's publisher fixed, too."""

    refit: Annotated[bool, RARE, OnResume.MAY_CHANGE] = False
    """With --folds: at last train each contender on all tiles, too."""

    allow_leak: Annotated[bool, RARE, OnResume.MAY_CHANGE] = False
    """Sweep although tiles of different splits show the same ground; every row is marked."""

    name: Annotated[str | None, arg(metavar="NAME"), OnResume.FIXED] = None
    """The experiment's name; default: from phase and profile."""

    resume: Annotated[str | None, arg(metavar="NAME"), OnResume.THIS_RUN] = None
    """Resume an unfinished experiment as it was started; changes to it are refused."""

    trust_owner: Annotated[bool, RARE, OnResume.THIS_RUN] = False
    """Resume although the experiment's folder belongs to another user."""

    plan: Annotated[bool, OnResume.THIS_RUN] = False
    """Print trials, resources and an estimated time; run nothing."""

    seed: Annotated[int, arg(metavar="N"), RARE, Bounds(0, MAX_SEED), OnResume.FIXED] = 42
    """Seeds initial weights, draws and dropout."""

    max_concurrent: Annotated[int | None, arg(metavar="N"), Bounds(1, 10_000), OnResume.MAY_CHANGE] = None
    """Trials side by side at most; 1 on Colab."""

    gpus_per_trial: Annotated[str | None, arg(metavar="1|0.5|0|auto"), OnResume.MAY_CHANGE] = None
    """Share of a GPU per trial; default: 1, if any; auto measures what fits."""

    max_failures: Annotated[int, arg(metavar="N"), RARE, Bounds(0, 1_000), OnResume.MAY_CHANGE] = 2
    """How often a trial that crashed is started again, from its last epoch."""

    compile: Annotated[bool, RARE, OnResume.MAY_CHANGE] = False
    """Translate each trial's training step by torch.compile: minutes at its start, for long trainings on GPUs."""

    profile_trace: Annotated[bool, RARE, OnResume.MAY_CHANGE] = False
    """Record the second epoch of each trial into trace.json.gz, for ui.perfetto.dev or chrome://tracing."""

    tensorboard: Annotated[bool, RARE, OnResume.MAY_CHANGE] = False
    """Write each trial's curves and some val tiles' predictions for TensorBoard."""

    overlays_every: Annotated[int, arg(metavar="N"), RARE, Bounds(0, MAX_EPOCHS), OnResume.MAY_CHANGE] = 5
    """With --tensorboard: draw predictions after the first epoch and every N epochs; 0: never."""

    mlflow: Annotated[str | None, arg(metavar="URI"), RARE, OnResume.MAY_CHANGE, TrackedBy("a tracking URI")] = None
    """Log every trial to this MLflow, such as sqlite:///mlflow.db or http://HOST:5000."""

    wandb: Annotated[str | None, arg(metavar="PROJECT"), RARE, OnResume.MAY_CHANGE, TrackedBy("a project")] = None
    """Log every trial to Weights & Biases, in this project."""

    weights: Annotated[
        Literal["pretrained", "random"] | None, arg(metavar="pretrained|random"), RARE, OnResume.FIXED
    ] = None
    """pretrained refuses to start without real weights; default: the profile's."""


@dataclass(frozen=True, kw_only=True)
class SweepOptions(CommonOptions):
    """What every phase understands."""

    measure: Annotated[bool, RARE, OnResume.THIS_RUN] = False
    """With --plan: calibrate the estimate by training a few steps of each architecture here."""

    time: Annotated[str | None, arg(metavar="8h|90min"), OnResume.THIS_RUN] = None
    """Stop cleanly after so long, in this run; --resume continues."""

    budget: Annotated[str | None, arg(metavar="12gpu-hours|4cpu-hours"), RARE, OnResume.THIS_RUN] = None
    """Stop cleanly after this much training, of this run alone; --resume continues."""
