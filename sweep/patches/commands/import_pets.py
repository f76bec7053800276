"""``python -m sweep.patches import-pets``."""

from __future__ import annotations

from sweep.cli.counting import CountedItems
from sweep.cli.output import Output
from sweep.patches.checks.checking import describe
from sweep.patches.commands.finishing import finish, say_made
from sweep.patches.commands.shared import check_counts, check_size, read_sound
from sweep.patches.folders import new_dataset
from sweep.patches.look.notes import Notes
from sweep.patches.options import ImportPets
from sweep.patches.pets import LICENCE, ORIGIN, PetsSettings, choose_splits, find_pets, write_pets
from trainables.data.tiles import SPLITS
from trainables.errors import DataError


def import_pets(options: ImportPets, output: Output) -> None:
    """Make a dataset out of Oxford-IIIT Pet.

    Raises:
        DataError: Everything that is wrong with the flags or the files; nothing is written then.
    """
    _check(options)
    reading = PetsSettings(size=options.size, fit=options.fit, uncertain=options.uncertain, seed=options.seed)
    lists = find_pets(options.src)
    if "all" in lists and options.counts is None:
        raise DataError(
            f"--src {options.src}: has no annotations/trainval.txt and test.txt; unpack them, or give --counts N,N,N"
        )
    splits = choose_splits(
        lists, counts=options.counts, subset=options.subset, val_share=options.val_share, seed=options.seed
    )
    watch = CountedItems(output.console)
    with new_dataset(options.dst, force=options.force) as root:
        sources, left_out = write_pets(root, splits, reading)
        if left_out and not all(any((root / split / "masks").iterdir()) for split in SPLITS):
            raise DataError(f"--size {options.size}: leaves a split without images ({left_out[0]}); use --fit pad")
        notes = Notes(root)
        report = read_sound(root, task=reading.task, watch=watch, see=notes.see_all)
        manifest = describe(
            report,
            name="oxford-iiit-pet",
            origin=ORIGIN,
            licence=LICENCE,
            sources=sources,
            split_origin="automatic",
            notes={"fit": options.fit, "uncertain": options.uncertain, "seed": options.seed, "left_out": len(left_out)},
        )
        odd = finish(root, manifest, report, notes, watch)
    for line in left_out[:10]:
        output.console.print(f"left out {line}")
    if len(left_out) > 10:
        output.console.print(f"left out {len(left_out)} images in all")
    say_made(options.dst, report, odd, output)


def _check(options: ImportPets) -> None:
    """Refuse flags that make no dataset, before any file is opened."""
    check_size(options.size)
    if not 0 < options.val_share < 1:
        raise DataError(f"--val-share {options.val_share:g}: must be between 0 and 1, both excluded")
    if options.counts is not None and options.subset is not None:
        raise DataError(f"--subset {options.subset}: does not go with --counts; leave one of them out")
    if options.counts is not None:
        check_counts(options.counts, "3,1,1")
