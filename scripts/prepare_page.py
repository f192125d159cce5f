"""Prints docs/prepare.md, which is made of the table of converters.

python scripts/prepare_page.py > docs/prepare.md
"""

import sys

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.converters import CONVERTERS
from jaxseg.command_line import command

_INTRODUCTION = """\
# Published data sets, from the download to a training

`python scripts/prepare_page.py > docs/prepare.md` writes this page from the converters
(`input_pipeline/prepare/converters/`).

    python -m jaxseg.prepare drive training.zip test.zip --output data/DRIVE
    python -m jaxseg.main --config experiments/prepared.py:data/DRIVE

SOURCE is an archive as it is downloaded (zip, tar, and tars compressed by gzip, bzip2 or
xz), a folder that holds such archives, or a folder of their unpacked files: it is all the
same, as files are known by the end of their paths. Several may be given. Members of zips
and tars are read where they are; a compressed tar is decompressed once into the output
folder, and removed at the end.

What every converter does:

- The layout that comes out is the one that the data set's class, and MMSegmentation's
  configs for it, expect.
- `prepare.jsonl` in the output folder says what is done. A run that ends early, however
  it ends, goes on there: a file has its name only when it is whole, and one that is gone
  or of another length is made again. A folder with other files, or with another data
  set, is refused.
- The numbers of files are compared with the published ones before anything is written;
  `--partial` takes what there is. Every image must have its label, and every label its
  image; the result is listed by the data set's class as a training does it.
- Archives are not trusted: names that lead out of them, links, devices, encrypted or
  overlapping entries are refused; a file may have 8 GiB, an archive 2 000 000 files and
  250 bytes for each of its own beyond 1 GiB; an image 89 million pixels. An output never
  leaves its folder, through links neither.
- An id or a colour that the published data set does not have is an error that names it
  with its file, but where the table below says otherwise.
- `--num_processes` (one a core) share the work.

The last lines say how to train: `experiments/prepared.py:DIR` is SegFormer-B0 on any of
them. Configs of MMSegmentation look in the folder that is the default of `--output`.

"""


def page() -> str:
    """All of docs/prepare.md."""
    return _INTRODUCTION + "\n".join(
        _section(CONVERTERS[name]) for name in sorted(CONVERTERS)
    )


def _section(converter: Converter) -> str:
    lines = [
        f"## {converter.name}",
        "",
        f"{converter.title}: {converter.url}",
        "",
        f"    python -m jaxseg.prepare {converter.name} {' '.join(converter.sources)}",
        "",
        f"- size: {converter.size}",
        f"- licence: {converter.licence}",
        f"- sources: {converter.layout}",
        f"- result: `{converter.home}`, class `{converter.dataset}`",
    ]
    lines += [f"- `--{o.name}` ({o.shown()}): {o.help}" for o in converter.options]
    if converter.checks:
        lines.append(f"- {converter.checks}")
    if converter.train_with:
        lines.append(f"- trained by `{converter.train_with}`")
    return "\n".join(lines) + "\n"


@command
def main(arguments: list[str]) -> None:
    """Prints the page."""
    del arguments
    print(page(), end="")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
