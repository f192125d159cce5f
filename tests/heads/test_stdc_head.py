"""STDCHead's boundaries of a label."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.heads import STDCHead

# What mmseg 1.2.2 makes of the label below. The ignored label is one like any other,
# and what lies outside of the image is class 0.
BOUNDARY = [
    "...........####",
    "............###",
    "...............",
    "...............",
    "......#########",
    "......#########",
    "......##......#",
    "......##......#",
    "......##......#",
    "###...##......#",
    "####..##......#",
    "####..##......#",
    "####..#########",
]


def test_the_losses_are_those_of_mmsegs_boundary():
    label = np.zeros((1, 13, 15), np.uint8)
    label[0, 4:, 6:], label[0, 9:, :3], label[0, 0, 11:] = 2, 255, 1
    boundary = np.array([[list(row) for row in BOUNDARY]]) == "#"
    head = STDCHead(in_channels=4, channels=4, num_classes=2, num_convs=1)
    variables = head.init(jax.random.key(0), (jnp.ones((1, 3, 4, 4)),), False)
    # Logits of the image's size: the larger one is right everywhere.
    logits = jnp.where(jnp.stack([~boundary, boundary], -1), 1.0, 0.0)

    def accuracy(logits):
        losses = head.apply(
            variables, logits, {"gt_seg_map": jnp.asarray(label)}, method="loss"
        )
        return losses["acc_seg"]

    assert round(float(accuracy(logits)), 5) == 100
    assert round(float(accuracy(1 - logits)), 5) == 0
