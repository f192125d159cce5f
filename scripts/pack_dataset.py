"""Decodes a data set once, into a few large files that training reads instead.

    python scripts/pack_dataset.py --config CONFIG --dst DIR
    python scripts/pack_dataset.py --config CONFIG --split val --dst DIR2
    python -m jaxseg.main --config CONFIG --config.train_dataloader.cache=DIR \\
        --config.val_dataloader.cache=DIR2

CONFIG is one of jaxseg's, or an unmodified one of mmsegmentation; single values are
replaced by --config.PATH=VALUE, as for jaxseg.main. A run that was interrupted goes on
where it was. The batches are the same, bit for bit, as without a cache.

    python scripts/pack_dataset.py --config CONFIG --dst DIR --check

compares every packed image and label with its checksum, and every source file with the
size and checksum that it had; the exit code is 1 if something differs.
docs/data.md says which format is for what.
"""

import argparse
import sys

from tqdm import tqdm

from input_pipeline.packing.check import check
from input_pipeline.packing.index import FORMATS
from input_pipeline.packing.write import pack
from jaxseg.command_line import command
from jaxseg.config import parse_arguments
from jaxseg.errors import JaxsegError
from jaxseg.load_config import load_config
from jaxseg.settings.cache import dataset_to_pack


@command
def main(arguments: list[str]) -> int:
    """Packs or checks; returns the exit code."""
    parser = _parser()
    options, overrides = parse_arguments(parser, arguments)
    try:
        needed = (f"{options.split}_dataloader",)
        config = load_config(options.config, needed, overrides)
        dataset, described = dataset_to_pack(config, options.split)
        with tqdm(total=len(dataset), unit="image", mininterval=1) as bar:
            if options.check:
                index = check(
                    dataset,
                    options.dst,
                    num_threads=options.num_threads,
                    progress=bar.update,
                )
            else:
                index = pack(
                    dataset,
                    options.dst,
                    format=options.format,
                    config=described,
                    shard_bytes=round(options.shard_gb * 1e9),
                    num_threads=options.num_threads,
                    progress=bar.update,
                )
    except OSError as error:  # of --dst or a source, which it names
        raise JaxsegError(str(error)) from error
    part = index.part
    print(
        f"{options.dst}: {len(part.samples)} samples, {len(part.records)} images in "
        f"{len(part.sizes)} {index.header.format} files of {sum(part.sizes) / 1e9:.2f} "
        f"GB{', all as their sources' if options.check else ''}"
    )
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", required=True, help="config of jaxseg or mmseg")
    add("--split", choices=("train", "val"), default="train", help="default: train")
    add("--dst", required=True, metavar="DIR", help="folder of the packed data set")
    add("--format", choices=FORMATS, default="raw", help="default: raw")
    add("--check", action="store_true", help="compare DIR with its sources")
    add(
        "--shard_gb",
        type=float,
        default=1.0,
        metavar="GB",
        help="size at which the next file begins; default: 1",
    )
    add(
        "--num_threads",
        type=int,
        default=4,
        metavar="N",
        help="images decoded, or checked, at a time; default: 4",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
