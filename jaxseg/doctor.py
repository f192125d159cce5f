"""Doctor: reads a data set before a training, and says what is wrong with it.

    python -m jaxseg.doctor --config experiments/camvid_fpn.py
    python -m jaxseg.doctor --config FILE --config.train_dataloader.dataset.data_root=DIR
    python -m jaxseg.doctor --images DIR --labels DIR --classes background,vessel
    python -m jaxseg.doctor --images DIR --labels FILE_OR_DIR --write my_data.py

Every image and label of training and validation is decoded. Prints sizes, statistics, a
table of the classes and what to do; writes report.json, with all numbers, and
samples.png, with labels over their images; and, by --write, a config that trains on the
two folders.

The exit code is 1 if there are errors, which would stop training or spoil it, and 0 if
there are warnings at most. docs/doctor.md says what is checked.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import cv2

from jaxseg.command_line import command
from jaxseg.config import parse_arguments
from jaxseg.diagnose.contact_sheet import draw_contact_sheet
from jaxseg.diagnose.diagnosis import Diagnosis, diagnose_config, diagnose_folders
from jaxseg.diagnose.report import as_json, as_text
from jaxseg.diagnose.write_config import check_is_new, write_config
from jaxseg.load_config import load_config

# A model of which jaxseg lacks a part is no reason not to look at the data.
_NEEDED = ("train_dataloader", "val_dataloader")


@command
def main(arguments: list[str]) -> int:
    """Prints the report and writes its files; returns the exit code."""
    parser = _parser()
    options, overrides = parse_arguments(parser, arguments)
    _check(parser, options, overrides)
    if options.write is not None:
        check_is_new(options.write)
    # OpenCV warns of damaged files without their names, which the report has.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    diagnosis = _diagnose(options, overrides)
    print(as_text(diagnosis))
    _write(diagnosis, _output(options, overrides), options.samples)
    if options.write is not None:
        written = write_config(diagnosis, options.write)
        print(", ".join(map(str, written)))
        # A program outside of the current folder is named with a colon behind.
        inside = options.write.resolve().is_relative_to(Path.cwd())
        name = f"{options.write}{'' if inside else ':'}"
        print(f"To train: python -m jaxseg.main --config {name}")
    return 1 if diagnosis.errors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jaxseg.doctor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", help="what --config of jaxseg.main takes; mmseg's configs, too")
    add("--images", metavar="DIR", help="a folder of images, instead of a config")
    add(
        "--labels",
        metavar="DIR",
        help="the folder of their labels; or one file with the annotations of all, or a "
        "path with a '*' for the names of several masks an image",
    )
    add(
        "--classes",
        default="",
        help="names by label id, from 0 on: a,b,c; without them ids are counted, and "
        "none is wrong",
    )
    add(
        "--img_suffix",
        metavar="END",
        help="end of an image's name, such as _img.jpg; found out by default",
    )
    add(
        "--seg_map_suffix",
        metavar="END",
        help="what stands instead of it in the label's name, such as _gt.png; found "
        "out by default",
    )
    add(
        "--write",
        type=Path,
        metavar="FILE.py",
        help="a new file, for a config that trains on the two folders",
    )
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="for report.json and samples.png; default: work_dirs/NAME/doctor, and a "
        "NAME of its own for other data",
    )
    add(
        "--samples",
        type=int,
        default=12,
        metavar="N",
        help="samples of a split in samples.png; default: 12",
    )
    add(
        "--num_threads",
        type=int,
        metavar="N",
        help="files that are read at a time; default: one a core",
    )
    return parser


def _check(parser, options, overrides) -> None:
    """Ends with exit code 2 and a sentence for options that do not go together."""
    folders = options.images, options.labels
    if (options.config is None) == (folders == (None, None)):
        parser.error("give either --config, or --images and --labels")
    if options.config is None and None in folders:
        parser.error("--images and --labels are needed both")
    if options.config is None and overrides:
        parser.error(f"--config.{overrides[0][0]} changes a config: give --config")
    if options.config is not None and options.write is not None:
        parser.error("--write goes with --images: there is a config")
    if options.config is not None and (
        options.classes or options.img_suffix or options.seg_map_suffix
    ):
        parser.error(
            "--classes, --img_suffix and --seg_map_suffix go with --images; of a config "
            "they are --config.train_dataloader.dataset.metainfo and so on"
        )
    if options.samples < 1 or (options.num_threads or 1) < 1:
        parser.error("--samples and --num_threads must be 1 at least")


def _diagnose(options, overrides) -> Diagnosis:
    if options.config is not None:
        config = load_config(options.config, _NEEDED, overrides)
        return diagnose_config(config, options.num_threads)
    names = (name.strip() for name in options.classes.split(","))
    return diagnose_folders(
        options.images,
        options.labels,
        tuple(name for name in names if name),
        options.img_suffix,
        options.seg_map_suffix,
        options.num_threads,
    )


def _output(options, overrides) -> Path:
    """Where the files go: a folder of its own for each data set."""
    if options.output is not None:
        return options.output
    if options.config is None:
        images, labels = (Path(p).resolve() for p in (options.images, options.labels))
        name = "-".join(images.parts[-2:]).strip("/")
        return _folder(name, f"{images} {labels}")
    name, _, argument = options.config.partition(":")
    # experiments/mmseg.py:FILE is as many runs as there are files.
    path = Path(argument if argument.endswith(".py") else name)
    data = [f"{key}={value}" for key, value in overrides if "dataloader" in key]
    if argument and path.name == Path(name).name:
        data.append(argument)
    if path.name == "config.json" and not data:  # it belongs to its work directory
        return path.parent / "doctor"
    return _folder(path.stem, " ".join(data))


def _folder(name: str, other_data: str) -> Path:
    """work_dirs/NAME/doctor; where the name does not say which data, with a digest."""
    if other_data:
        name = f"{name}-{hashlib.sha256(other_data.encode()).hexdigest()[:8]}"
    return Path("work_dirs", name, "doctor")


def _write(diagnosis: Diagnosis, folder: Path, samples: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = json.dumps(as_json(diagnosis), indent=1)
    (folder / "report.json").write_text(report, encoding="utf-8")
    draw_contact_sheet(diagnosis.splits, samples).save(folder / "samples.png")
    print(f"{folder}/report.json, {folder}/samples.png")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
