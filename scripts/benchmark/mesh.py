"""What a training step, or one image, needs of each device's memory, mesh by mesh.

    python scripts/benchmark/mesh.py --config CONFIG --batch_size 8 --size 512,512 \\
        --devices 8 --mesh data=8 --mesh fsdp=8 --mesh data=2,fsdp=4
    python scripts/benchmark/mesh.py --config CONFIG --size 8192,8192 \\
        --devices 8 --spatial 1 --spatial 8

The program is compiled and not run: no data, no weights, and on a CPU, of which it makes
as many devices as it is asked for. Figures are XLA's for that platform; an accelerator's
temporaries differ, its parameters and optimiser's state do not. CONFIG is one of
jaxseg's, or an unmodified one of mmsegmentation; single values are replaced by
--config.PATH=VALUE, as for jaxseg.main.
"""

import argparse
import os
import pathlib
import sys

import jax

from jaxseg.command_line import command
from jaxseg.config import parse_arguments

# The measuring programs stand in this folder, not in an installed package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from scripts.benchmark.measuring.command_line import size


@command
def main(arguments: list[str]) -> int:
    """Compiles for every mesh and prints tables; returns the exit code."""
    parser = _parser()
    options, overrides = parse_arguments(parser, arguments)
    if not options.mesh and not options.spatial:
        parser.error("give --mesh, --spatial or both")
    if options.mesh and options.batch_size is None:
        parser.error("--mesh needs --batch_size")
    jax.config.update("jax_platforms", "cpu")
    os.environ["XLA_FLAGS"] = (
        os.environ.get("XLA_FLAGS", "")
        + f" --xla_force_host_platform_device_count={options.devices}"
    )
    # The number of devices is read when the first of them is asked for.
    from jaxseg.load_config import load_config
    from scripts.benchmark.measuring.mesh_memory import inference_memory, mesh_memory

    config = load_config(options.config, ("model", "optim_wrapper"), overrides)
    if options.mesh:
        _print_header("training step", "parameters", "optimiser")
    for text in options.mesh:
        sizes = {"data": 1, **_sizes(text)}
        memory = mesh_memory(config, sizes, options.batch_size, options.size)
        _print_row(text, memory)
    if options.spatial:
        _print_header("one image", "parameters")
    for count in options.spatial:
        memory = inference_memory(config, count, options.size)
        _print_row(f"spatial={count}", memory)
    return 0


def _print_header(*names):
    names = (*names, "temporaries", "total")
    print(f"| {' | '.join(names)} |")
    print(f"|---{'|---:' * (len(names) - 1)}|", flush=True)


def _print_row(name, memory):
    cells = [f"{count / 2**20:.0f} MiB" for count in memory.values()]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _sizes(text):
    return {
        name: int(count)
        for name, _, count in (part.partition("=") for part in text.split(","))
    }


def _mesh(text):
    try:
        _sizes(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no mesh such as data=2,fsdp=4"
        ) from None
    return text


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", required=True, help="config of jaxseg or mmseg")
    add("--batch_size", type=int, help="of a training step, over all devices")
    add("--size", type=size, required=True, metavar="H,W", help="of the images")
    add("--devices", type=int, default=8, help="default: 8")
    add(
        "--mesh",
        action="append",
        type=_mesh,
        default=[],
        metavar="AXIS=N,...",
        help="of a training step: data, fsdp and spatial; give it again for the next row",
    )
    add(
        "--spatial",
        action="append",
        type=int,
        default=[],
        metavar="N",
        help="devices that predict one image, each a band of its rows; give it again",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
