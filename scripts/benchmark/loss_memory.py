"""Tables the memory of the decode losses: by strips, and of upsampled logits.

    python scripts/benchmark/loss_memory.py
    python scripts/benchmark/loss_memory.py --topology v5e:2x2 --dtype bfloat16 \\
        --batch_size 4 --losses CE

Each row compiles value and gradient for one device, runs nothing, and gives in MiB the
temporary memory that XLA's memory analysis names and the bytes that go through the
device's main memory, beside the size of the float32 logits at full size.
"""

import argparse
import dataclasses
import pathlib
import sys

import jax
import jax.numpy as jnp

from jaxseg.command_line import command
from jaxseg.losses import CrossEntropyLoss, DiceLoss, OHEMPixelSampler
from jaxseg.losses.decode import decode_losses
from jaxseg.losses.targets import Targets
from jaxseg.ops.resize import resize
from jaxseg.ops.strips.upsampled import Upsampled

# The measuring programs stand in this folder, not in an installed package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from scripts.benchmark.measuring.command_line import count
from scripts.benchmark.measuring.program_text import read_program
from scripts.benchmark.measuring.program_traffic import operations
from scripts.benchmark.measuring.topology import LOCAL, topology_devices

# (logits' size, classes, labels' size)
CASES = (
    ((128, 128), 150, (512, 512)),
    ((64, 128), 19, (512, 1024)),
    ((512, 512), 19, (512, 512)),
)


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of one program.

    Attributes:
        temporary: of the largest temporaries that live at one time.
        moved: read from and written to the device's main memory.
    """

    temporary: int
    moved: int


def make_losses(classes):
    """What is measured: name -> (loss, sampler)."""
    weights = tuple(1 + i / classes for i in range(classes))
    return {
        "CE": (CrossEntropyLoss(), None),
        "CE, class weights": (CrossEntropyLoss(class_weight=weights), None),
        "CE, OHEM": (CrossEntropyLoss(), OHEMPixelSampler(thresh=0.7)),
        "sigmoid BCE": (CrossEntropyLoss(use_sigmoid=True), None),
        "Dice": (DiceLoss(use_sigmoid=False), None),
    }


def memory(loss, sampler, batch, case, strips, dtype, device) -> Memory:
    """Memory of value and gradient of a loss, by strips or of all logits at once."""
    small, classes, large = case

    def total(logits, label):
        if strips:
            targets = {"gt_seg_map": label}
            return decode_losses(logits, targets, (loss,), sampler=sampler)[
                loss.loss_name
            ]
        logits = resize(logits.astype(jnp.float32), large)
        if sampler is None:
            return loss(logits, label)
        fixed = Upsampled(jax.lax.stop_gradient(logits), large)
        return loss(logits, label, sampler.sample(fixed, Targets(label), (loss,)))

    sharding = jax.sharding.SingleDeviceSharding(device)
    logits = jax.ShapeDtypeStruct((batch, *small, classes), dtype, sharding=sharding)
    label = jax.ShapeDtypeStruct((batch, *large), jnp.uint8, sharding=sharding)
    compiled = jax.jit(jax.value_and_grad(total)).lower(logits, label).compile()
    found = operations(read_program(compiled.as_text()))
    return Memory(
        temporary=compiled.memory_analysis().temp_size_in_bytes,
        moved=sum(one.total for one in found),
    )


@command
def main(arguments: list[str]) -> int:
    """Prints the table; returns the exit code."""
    options = _parser().parse_args(arguments)
    device = topology_devices(options.topology)[0]
    print(f"One {device.device_kind}, {options.dtype} logits, MiB\n")
    columns = "plain: temporary | moved | strips: temporary | moved"
    print(f"| batch, logits -> labels, classes | loss | logits | {columns} |")
    print("|---|---|---:|---:|---:|---:|---:|")
    batch = options.batch_size
    for case in CASES:
        small, classes, large = case
        shape = f"{batch}, {small[0]}x{small[1]} -> {large[0]}x{large[1]}, {classes}"
        full = batch * large[0] * large[1] * classes * 4
        losses = make_losses(classes)
        for name in options.losses or losses:
            found = [full]
            for strips in (False, True):
                one = memory(*losses[name], batch, case, strips, options.dtype, device)
                found += [one.temporary, one.moved]
            cells = " | ".join(f"{size / 2**20:.1f}" for size in found)
            print(f"| {shape} | {name} | {cells} |", flush=True)
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--topology",
        default=LOCAL,
        metavar="SLICE",
        help="of TPUs, such as v5e:2x2, of which one chip counts; or local, a device "
        "of this machine (default)",
    )
    add("--batch_size", type=count, default=2, help="images of the device")
    add("--dtype", default="float32", choices=("float32", "bfloat16"), help="of logits")
    add(
        "--losses",
        nargs="+",
        choices=tuple(make_losses(1)),
        metavar="NAME",
        help=f"default: all of {', '.join(make_losses(1))}",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
