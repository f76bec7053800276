"""All commands, in the order in which one uses them."""

from __future__ import annotations

from importlib import import_module

from sweep.cli.console import Command, CommandGroup


def load(name: str) -> Command | CommandGroup:
    """Import a command; that loads nothing heavy.

    Args:
        name: ``phase1``, ``patches``, ...: a module of ``sweep``, or a folder with the module ``command``.
    """
    module = import_module(f"sweep.{name}")
    if not hasattr(module, "COMMAND"):
        module = import_module(f"sweep.{name}.command")
    command: Command | CommandGroup = module.COMMAND
    return command


ALL = CommandGroup(
    name="",
    about="Which segmentation architecture is best on a couple of dozen labelled aerial tiles?",
    stages={
        "prepare": {
            "doctor": "check this machine, the weights and the dataset, or an architecture of your own",
            "patches": "make, check, show and describe datasets of labelled tiles",
        },
        "sweep": {
            "study": "the whole question: all three phases, their scores and the report",
            "phase1": "compare architectures under one shared recipe",
            "phase2": "search each architecture's best recipe",
            "phase3": "what fewer tiles would cost, and whether more would help",
        },
        "watch": {
            "status": "what a sweep does, or how it ended",
            "monitoring": "files for Prometheus and Grafana",
        },
        "judge": {
            "score": "read the test split, once per attempt, and keep the ledger",
            "report": "one page with everything that came out",
        },
        "label": {
            "next": "which unlabelled tiles to label next, ready for a labelling program",
        },
        "use": {
            "predict": "masks and polygons of images and rasters of any size",
            "audit": "labels that are probably wrong, and how right a map is",
            "export": "one file for onnxruntime, PyTorch or tilesweep elsewhere",
        },
        "shell": {
            "completion": "let the Tab key complete commands and flags",
        },
    },
    load=load,
    begin="study --profile demo",
)
