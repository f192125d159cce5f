import functools

import jax
import numpy as np

from jaxseg.weights.state_dict import torch_shapes
from tests.models.cases import build, maps

NORM = ("weight", "bias", "running_mean", "running_var")


def authors_keys(num_blocks):
    """Those of model/CGNet.py of https://github.com/wutianyiRosun/CGNet."""

    def norm_and_slope(name, bn="bn", act="act"):
        yield from (f"{name}.{bn}.{leaf}" for leaf in NORM)
        yield f"{name}.{act}.weight"

    def conv_module(name):
        yield f"{name}.conv.weight"
        yield from norm_and_slope(name)

    def block(name, first):
        yield from conv_module(f"{name}.conv1x1")
        yield from (f"{name}.F_{place}.conv.weight" for place in ("loc", "sur"))
        yield from norm_and_slope(name if first else f"{name}.bn_prelu")
        if first:
            yield f"{name}.reduce.conv.weight"
        for item in (0, 2):
            yield from (f"{name}.F_glo.fc.{item}.{leaf}" for leaf in ("weight", "bias"))

    for k in range(3):
        yield from conv_module(f"level1_{k}")
    yield from norm_and_slope("b1")
    for level, count in zip((2, 3), num_blocks, strict=True):
        yield from block(f"level{level}_0", True)
        for k in range(count - 1):
            yield from block(f"level{level}.{k}", False)
        yield from norm_and_slope(f"bn_prelu_{level}")
    yield "classifier.0.conv.weight"


def test_the_authors_weights_load():
    net = build("CGNet").clone(num_blocks=(3, 4))
    init = functools.partial(net.init, train=False)
    known = torch_shapes(jax.eval_shape(init, jax.random.key(0), *maps("CGNet")))
    given = {key: np.zeros(1) for key in authors_keys(net.num_blocks)}
    kept, left_out = net.key_table.select(given, known)
    assert kept.keys() == known.keys()
    assert left_out == ["classifier.0.conv.weight"]
    table = net.key_table.of_file(given)
    # A key that both have, of two blocks.
    theirs, ours = "level2.0.conv1x1.conv.weight", "level1.1.conv1x1.conv.weight"
    assert theirs in known and table.rename(theirs, known) == ours
    assert net.key_table.rename(theirs, known) == theirs
    theirs, ours = "level3.2.bn_prelu.act.weight", "level2.3.activate.weight"
    assert table.rename(theirs, known) == ours
