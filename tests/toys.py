"""Something small of each kind that CONTRIBUTING says how to add."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Toy:
    """Something small to add.

    Attributes:
        files: Text of each new file, by path.
        entries: List or class -> (what stands in it, what is put before that), of each place in it.
        above: List -> what is put before the statement that defines it, for entries that name something.
    """

    files: dict[str, str] = field(default_factory=dict)
    entries: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    above: dict[str, str] = field(default_factory=dict)


TOYS = {
    "an architecture": Toy(
        files={
            "trainables/models/toy.py": """
from torch import nn

from trainables.models.base import IMAGENET_MEAN, IMAGENET_STD, SegmentationModel


class Toy(SegmentationModel):
    def __init__(self, dropout, channels):
        super().__init__(mean=IMAGENET_MEAN, std=IMAGENET_STD, stride=1)
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Dropout2d(dropout))
        self.head = nn.Conv2d(8, channels, 1)

    def raw_logits(self, inputs):
        return self.head(self.layers(inputs))
""",
            "trainables/models/architectures/toy.py": """
from trainables.models.architecture import architecture


@architecture(name="toy", title="Toy net", track="cnn", needs="none")
def build(recipe, weights, channels, bands):
    from trainables.models.toy import Toy

    return Toy(recipe.decoder_dropout, channels)
""",
        }
    ),
    "a loss": Toy(
        files={
            "trainables/losses/toy.py": """
from dataclasses import dataclass


@dataclass(frozen=True)
class Toy:
    task: object

    def __call__(self, logits, masks):
        return 1000 + (logits.float() - masks).square().mean()


def build(recipe, task, *, class_weights, padded):
    return Toy(task)
"""
        },
        entries={"LOSSES": (('"ce_dice"', '"toy": "trainables.losses.toy:build",\n        '),)},
    ),
    "an augmentation preset": Toy(
        entries={"PRESETS": (('"LIGHT"', '"TOY": toy,\n        '),)},
        above={
            "PRESETS": """def toy():
    import albumentations as A

    return (A.D4(p=1.0), A.RandomGamma(p=1.0))


"""
        },
    ),
    "a metric": Toy(
        entries={
            "SplitScore": (
                (
                    "    @property\n    def loss",
                    """    @property
    def toyness(self):
        return 2 * self.iou

""",
                ),
            ),
            "EpochReport": (
                ("    tile_iou:", '    toyness: Annotated[float | None, Shown("Twice the IoU", "", ALL)] = None\n'),
                ("            **measured", "            toyness=val.toyness,\n"),
            ),
            "TrialSummary": (
                ("    @classmethod", '    toyness: Annotated[float | None, Shown("Of the last epoch")] = None\n\n'),
                ("            epochs=measured", '            toyness=measured.get("toyness"),\n'),
            ),
            "COLUMNS": (
                (
                    'LeaderboardColumn(heading="weights"',
                    'LeaderboardColumn(heading="toyness", fields=("toyness",), value=lambda row: row.toyness, '
                    'format=".4f", priority=ALWAYS),\n    ',
                ),
            ),
        }
    ),
    "a policy (scheduler)": Toy(
        files={
            "sweep/planning/toy.py": """
from sweep.planning.policy import Decision, Policy


class Toy(Policy):
    name = "toy"

    def decide(self, trial, epoch, curves):
        return Decision.STOP

    def describe(self):
        return "all but the shared recipe are stopped after their first epoch"
"""
        },
        entries={"POLICIES": (("AshaStop", "Toy, "),)},
        above={"POLICIES": "from sweep.planning.toy import Toy\n\n"},
    ),
    "a sampler": Toy(
        entries={"SAMPLERS": (('"tpe"', '"toy": _toy, '),)},
        above={
            "SAMPLERS": """def _toy(seed, startup):
    from optuna.samplers import PartialFixedSampler, RandomSampler

    fixed = {"loss": "toy", "augmentation": "TOY", "decoder_dropout": 0.125}
    return PartialFixedSampler(fixed, RandomSampler(seed=seed))


"""
        },
    ),
    "a leaderboard column": Toy(
        entries={
            "COLUMNS": (
                (
                    'LeaderboardColumn(heading="weights"',
                    'LeaderboardColumn(heading="toys", fields=("architecture",), priority=ALWAYS, '
                    'value=lambda row: f"toy of {row.architecture}"),\n    ',
                ),
            )
        }
    ),
    "a label format": Toy(
        files={
            "sweep/patches/labels/toy.py": """
import numpy as np

from sweep.patches.labels.shapes import LabelledImage, LabelledShape, Outline


def read_toys(path, sources):
    share = float(path.read_text())
    ring = np.array([(0, 0), (1, 0), (1, share), (0, share)])
    shapes = [LabelledShape(label="toy", parts=[Outline(ring=ring)], place="toy")]
    return {name: LabelledImage(place="toy", shapes=shapes, size=None, shares=True) for name in sources}
"""
        },
        entries={
            "FORMATS": (
                (
                    '_drawn(name="CVAT XML"',
                    '_drawn(name="toys", endings=(".toy",), reader="sweep.patches.labels.toy:read_toys"),\n    ',
                ),
            )
        },
    ),
    "a tracker": Toy(
        files={
            "sweep/observers/toy.py": """
from pathlib import Path

from sweep.observers.tracking import Tracker


class Toys(Tracker):
    def __init__(self, value, experiment):
        self.file = Path(value)

    def say(self, *words):
        with self.file.open("a") as file:
            print(*words, file=file)

    def begin(self, plan):
        self.say("begin", plan.attempt)

    def epoch(self, plan, report):
        self.say("epoch", plan.attempt, report.epoch)

    def end(self, plan, outcome, last, final):
        self.say("end", plan.attempt, outcome)
"""
        },
        entries={
            "CommonOptions": (
                (
                    "    wandb: Annotated[",
                    """    toy: Annotated[
        str | None, arg(metavar="FILE"), RARE, OnResume.MAY_CHANGE, TrackedBy("a file")
    ] = None
    \"\"\"Tell toys of every trial.\"\"\"

""",
                ),
            )
        },
    ),
    "a report section": Toy(
        files={
            "sweep/report/toy.py": """
from sweep.report.blocks import Section, Text


def toy(source):
    return Section(slug="toy", title="Toy section", blocks=[Text(lines=[f"A toy about {len(source.rows)} rows."])])
"""
        },
        entries={"SECTIONS": (("leaderboard,", "toy,\n    "),)},
        above={"SECTIONS": "from sweep.report.toy import toy\n\n"},
    ),
    "a command": Toy(
        files={
            "sweep/toy.py": '''
from dataclasses import dataclass

from sweep.cli.console import Command
from sweep.cli.options import OutputOptions


@dataclass(frozen=True, kw_only=True)
class ToyOptions(OutputOptions):
    """Say how many toys there are."""

    toys: int = 3
    """So many."""


def main(options, output):
    output.results.print(f"{options.toys} toys")


COMMAND = Command(name="toy", options=ToyOptions, main=main, examples={"--toys 4": ""})

if __name__ == "__main__":
    COMMAND.run()
'''
        },
        entries={"ALL": (('"phase1": "', '"toy": "count toys",\n            '),)},
    ),
}
