"""Polygons to PNG: the labels of a config, painted once instead of at every epoch.

    python -m jaxseg.prepare polygons --config my_data.py --output DIR

writes DIR/train and DIR/val, a PNG an image, for the data sets of train_dataloader and
val_dataloader: polygons, run lengths, masks, tables, or any other labels that
docs/data.md names. The ids are the classes of the config. A run that was interrupted
goes on where it was. The last lines are what to change in the config.
"""

import argparse
import os

from tqdm import tqdm

from input_pipeline import datasets, transforms
from input_pipeline.shapes.write import write_labels
from jaxseg.config import ConfigError, parse_arguments
from jaxseg.load_config import load_config
from jaxseg.resolve import resolve


def paint(arguments: list[str]) -> int:
    """Paints the labels of a config; returns the exit code."""
    options, overrides = parse_arguments(_parser(), arguments)
    config = load_config(
        options.config, ("train_dataloader", "val_dataloader"), overrides
    )
    found = 0
    for split in ("train", "val"):
        node = (config.get(f"{split}_dataloader") or {}).get("dataset")
        if node:
            path = f"{split}_dataloader.dataset"
            dataset = resolve(node, path, (datasets, transforms))
            _paint(dataset, split, path, options)
            found += 1
    if not found:
        raise ConfigError(
            "the config has neither train_dataloader.dataset nor val_dataloader.dataset"
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jaxseg.prepare polygons",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", required=True, help="what --config of jaxseg.main takes")
    add("--output", required=True, metavar="DIR", help="folder of the PNGs")
    add(
        "--num_threads",
        type=int,
        choices=range(1, 257),
        default=os.cpu_count(),
        metavar="N",
        help="labels at a time; default: one a core",
    )
    return parser


def _paint(dataset, split, path, options):
    parts = dataset.parts()
    for number, part in enumerate(parts):
        name = split if len(parts) == 1 else f"{split}_{number}"
        folder = os.path.join(options.output, name)
        with tqdm(desc=name, unit="label", mininterval=1, disable=None) as bar:

            def show(done: int, of: int, bar=bar) -> None:
                bar.total = of
                bar.update(done - bar.n)

            written = write_labels(part, folder, options.num_threads, show)
        before = len(part) - len(written)
        print(f"{folder}: {len(written)} labels written, {before} were there before")
        print(
            f"    {path}: data_prefix.seg_map_path={os.path.abspath(folder)!r}, "
            f"seg_map_suffix='.png', metainfo.classes="
            f"{list(part.metainfo['classes'])!r}, ignore_index={part.ignore_index}; "
            "without annotations, label_map and reduce_zero_label"
        )
