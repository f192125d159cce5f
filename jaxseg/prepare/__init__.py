"""Prepare: brings a published data set from its download to where a training finds it.

    python -m jaxseg.prepare drive training.zip test.zip --output data/DRIVE
    python -m jaxseg.prepare cityscapes leftImg8bit_trainvaltest.zip \\
        gtFine_trainvaltest.zip --output data/cityscapes
    python -m jaxseg.prepare NAME --help
    python -m jaxseg.prepare polygons --config my_data.py --output DIR

SOURCE is an archive as it was downloaded, or a folder, of unpacked files or of archives.
Nothing is unpacked where that can be avoided. A run that was interrupted goes on where
it was. The numbers of files are compared with the published ones; --partial takes what
there is. The last lines say how to train on the result. NAME --help says which files a
SOURCE is, and how they lie in it; docs/prepare.md has all of it.
"""

import argparse
import os
import pathlib
import textwrap

from tqdm import tqdm

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.converters import CONVERTERS
from input_pipeline.prepare.run import Prepared, prepare
from jaxseg.command_line import command
from jaxseg.config import nearest

# The one NAME that is no published data set.
_POLYGONS = "polygons"


@command
def main(arguments: list[str]) -> int:
    """Prepares a data set; returns the exit code."""
    if arguments[:1] == [_POLYGONS]:
        # Here, as the processes of a converter have no use for a config's JAX.
        from jaxseg.prepare_polygons import paint

        return paint(arguments[1:])
    parser = _parser()
    name = arguments[0] if arguments else "-"
    if not name.startswith("-") and name not in CONVERTERS:
        # Before argparse, which lists all of them.
        near = nearest(name, [*CONVERTERS, _POLYGONS])
        parser.error(f"NAME is {name!r}{near}; --help lists what there is")
    options = parser.parse_args(arguments)
    converter = CONVERTERS[options.name]
    with tqdm(unit="step", mininterval=1, disable=None) as bar:

        def show(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        prepared = prepare(
            converter,
            options.source,
            options.output,
            {o.name: getattr(options, o.name) for o in converter.options},
            partial=options.partial,
            num_processes=options.num_processes,
            progress=show,
        )
    print("\n".join(_report(converter, prepared)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jaxseg.prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    names = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    names.add_parser(_POLYGONS, help="the labels of a config, of any form, as PNG")
    for name, converter in sorted(CONVERTERS.items()):
        one = names.add_parser(
            name,
            help=f"{converter.title}. {converter.size}; {converter.licence}; "
            f"{converter.url}",
            description=describe(converter),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        _add_arguments(one, converter)
    return parser


def _add_arguments(parser: argparse.ArgumentParser, converter: Converter) -> None:
    add = parser.add_argument
    add("source", nargs="+", metavar="SOURCE", help="archive or folder")
    add(
        "--output",
        default=converter.home,
        metavar="DIR",
        help=f"folder of the result; default: {converter.home}, where configs look",
    )
    add(
        "--partial",
        action="store_true",
        help="take other numbers of files than the published ones",
    )
    add(
        "--num_processes",
        type=_positive,
        default=os.cpu_count(),
        metavar="N",
        help="processes at work; default: one a core",
    )
    for option in converter.options:
        add(
            f"--{option.name}",
            type=type(option.default),
            default=option.default,
            choices=option.choices or None,
            help=f"{option.help}; default: {option.shown()}",
        )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 at least")
    return value


def describe(converter: Converter) -> str:
    """Where a data set is, under what licence, how large, and how its files lie."""
    facts = {
        "sources": ", ".join(converter.sources),
        "from": converter.url,
        "licence": converter.licence,
        "size": converter.size,
        "layout": converter.layout,
    }
    return "\n".join(
        [converter.title, ""]
        + [
            textwrap.fill(
                value, 88, initial_indent=f"{key:8} ", subsequent_indent=" " * 9
            )
            for key, value in facts.items()
        ]
    )


def _report(converter: Converter, prepared: Prepared) -> list[str]:
    counts = ", ".join(f"{c.found} {c.what}" for c in prepared.counts)
    samples = ", ".join(f"{n} samples in {k}" for k, n in prepared.samples.items())
    before = f" ({prepared.done_before} done before)" * bool(prepared.done_before)
    lines = [
        f"{prepared.folder}: {prepared.tasks} steps{before}: {counts or 'no count'}",
        *prepared.notes,
    ]
    train = "    python -m jaxseg.main --config"
    if converter.has_config:
        lines += [
            f"{samples}. To train on it:",
            f"{train} experiments/prepared.py:{prepared.folder}",
        ]
    else:
        lines.append(f"{samples}. {converter.checks}")
    if converter.train_with:
        lines.append(f"{train} {converter.train_with}")
    if prepared.folder != pathlib.Path(converter.home):
        lines += [
            f"Other configs for this data set look in {converter.home}:",
            f"    ln -s {prepared.folder.resolve()} {converter.home}",
        ]
    return lines
