"""Tables the memory of the decode losses: by strips, and of upsampled logits.

    python scripts/benchmark/loss_memory.py

Each row compiles value and gradient for one device, runs nothing, and gives the
temporary memory that XLA's memory analysis names, in MiB, beside the size of the
float32 logits at full size.
"""

import jax
import jax.numpy as jnp

from jaxseg.losses import CrossEntropyLoss, DiceLoss, OHEMPixelSampler
from jaxseg.losses.decode import decode_losses
from jaxseg.losses.targets import Targets
from jaxseg.ops.resize import resize
from jaxseg.ops.strips.upsampled import Upsampled

# (batch, logits' size, classes, labels' size)
CASES = (
    (2, (128, 128), 150, (512, 512)),
    (2, (64, 128), 19, (512, 1024)),
    (2, (512, 512), 19, (512, 512)),
)


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


def temporary_bytes(loss, sampler, case, strips):
    """Temporary memory of value and gradient, in bytes."""
    batch, small, classes, large = case

    def total(logits, label):
        if strips:
            targets = {"gt_seg_map": label}
            return decode_losses(logits, targets, (loss,), sampler=sampler)[
                loss.loss_name
            ]
        logits = resize(logits, large)
        if sampler is None:
            return loss(logits, label)
        fixed = Upsampled(jax.lax.stop_gradient(logits), large)
        return loss(logits, label, sampler.sample(fixed, Targets(label), (loss,)))

    logits = jax.ShapeDtypeStruct((batch, *small, classes), jnp.float32)
    label = jax.ShapeDtypeStruct((batch, *large), jnp.uint8)
    compiled = jax.jit(jax.value_and_grad(total)).lower(logits, label).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def main():
    print(f"Temporary memory on {jax.default_backend()}, MiB\n")
    print("| batch, logits -> labels, classes | loss | logits | plain | strips |")
    print("|---|---|---:|---:|---:|")
    for case in CASES:
        batch, small, classes, large = case
        shape = f"{batch}, {small[0]}x{small[1]} -> {large[0]}x{large[1]}, {classes}"
        full = batch * large[0] * large[1] * classes * 4
        for name, (loss, sampler) in make_losses(classes).items():
            found = [temporary_bytes(loss, sampler, case, how) for how in (False, True)]
            cells = " | ".join(f"{size / 2**20:.1f}" for size in (full, *found))
            print(f"| {shape} | {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
