"""Tables the memory of heads in which pixels attend to pixels: ours, and mmseg's.

    python scripts/benchmark/head_memory.py
    python scripts/benchmark/head_memory.py --size 64,128 --torch-python ENV/bin/python

Each row is one training pass of a head, forward and backward: bytes beside its inputs
and parameters, gradients of both included, in MiB. Ours are the temporaries and results
that XLA's buffer assignment gives the compiled program, which does not run. mmseg's,
with --torch-python, are the most that torch's allocator holds at once, by its profiler,
in a pass that runs.
"""

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxseg.command_line import command
from jaxseg.resolve import resolve

# The measuring programs stand in this folder, not in an installed package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from scripts.benchmark.measuring.against import OtherSide
from scripts.benchmark.measuring.command_line import count, size
from scripts.benchmark.measuring.program import compile_program

_OTHER_SIDE = pathlib.Path(__file__).with_name("torch_side") / "head_memory.py"

# As mmseg's configs have them, but for the channels of the input.
HEADS = {
    # The convolutions that stand around the attention of most, and nothing else.
    "FCNHead": dict(num_convs=2),
    "CCHead": dict(recurrence=2),
    "DAHead": dict(pam_channels=64),
    "NLHead": dict(),
    "DNLHead": dict(),
    "ISAHead": dict(isa_channels=256, down_factor=(8, 8)),
    "PSAHead": dict(
        mask_size=(97, 97),
        psa_type="bi-direction",
        compact=False,
        shrink_factor=2,
        normalization_factor=1.0,
        psa_softmax=True,
    ),
}


def head_configs(names: Sequence[str], channels: int) -> dict[str, dict]:
    """The configs of some of `HEADS`, whose input has `channels` channels."""
    shared = dict(
        in_channels=channels,
        in_index=0,
        channels=channels,
        num_classes=19,
        norm_cfg=dict(type="BN"),
    )
    return {name: dict(type=name, **shared, **HEADS[name]) for name in names}


def our_bytes(config: dict, shape: tuple[int, int, int, int]) -> int:
    """Bytes that a pass holds beside its inputs, on the default device.

    Args:
        config: of a head.
        shape: of the feature map, (N, H, W, C).
    """
    head = resolve(config, "head")
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}

    def init(x):
        return head.init(keys, (x,), True)

    def apply(parameters, statistics, x):
        variables = {"params": parameters, "batch_stats": statistics}
        streams = {"dropout": keys["dropout"]}
        return head.apply(variables, (x,), True, rngs=streams, mutable=["batch_stats"])

    def train(variables, x, cotangents):
        def of(parameters, x):
            return apply(parameters, variables["batch_stats"], x)

        _, backward, statistics = jax.vjp(of, variables["params"], x, has_aux=True)
        return backward(cotangents), statistics

    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    variables = jax.eval_shape(init, x)
    outputs, _ = jax.eval_shape(apply, variables["params"], variables["batch_stats"], x)
    _, facts = compile_program(jax.jit(train), variables, x, outputs)
    return facts["memory"]["temporaries"] + facts["memory"]["outputs"]


def _their_bytes(python, configs, shape):
    job = {"heads": configs, "shape": shape}
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log.txt")
        with OtherSide([python, str(_OTHER_SIDE)], job, log) as other:
            return other.hello["bytes"]


@command
def main(arguments: list[str]) -> int:
    """Compiles, has the other side run, and prints; returns the exit code."""
    options = _parser().parse_args(arguments)
    shape = (options.batch_size, *options.size, options.channels)
    configs = head_configs(options.heads, options.channels)
    theirs = {}
    if options.torch_python is not None:
        theirs = _their_bytes(options.torch_python, configs, shape)
    print(
        f"| {' x '.join(map(str, shape))} | ours, MiB | mmseg's, MiB |\n|---|---:|---:|"
    )
    for name, config in configs.items():
        found = [our_bytes(config, shape), theirs.get(name)]
        cells = ("" if held is None else f"{held / 2**20:.0f}" for held in found)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--torch-python", metavar="PYTHON", help="compare with mmseg's")
    parser.add_argument("--batch-size", type=count, default=2, metavar="N")
    parser.add_argument("--channels", type=count, default=512, metavar="N")
    parser.add_argument(
        "--size", type=size, default=(64, 64), metavar="H,W", help="of the feature map"
    )
    parser.add_argument(
        "--heads", nargs="+", choices=HEADS, default=tuple(HEADS), metavar="NAME"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
