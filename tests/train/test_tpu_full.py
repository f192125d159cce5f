"""What a TPU's compiler makes of a step and of an inference: exchanges and precision.

No TPU is needed, but its compiler, libtpu. The model is small: each program takes it
some seconds.
"""

import jax
import pytest

from jaxseg.inference.bands import BandPredictor
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.train import sharding
from jaxseg.train.abstract_step import abstract_step
from scripts.benchmark.measuring.program_products import products
from scripts.benchmark.measuring.program_text import read_program
from scripts.benchmark.measuring.program_traffic import collectives
from scripts.benchmark.measuring.topology import topology_devices
from tests import tiny

pytestmark = pytest.mark.long
CONFIG = tiny.get_config("no data")
SIZE = (64, 64)


@pytest.fixture(scope="module")
def chips():
    pytest.importorskip("libtpu")
    return topology_devices("v5e:4x4")


def compile_step(chips, **mesh):
    """The step of 16 images in float32, and its state by shape and place."""
    step, state, batch = abstract_step(CONFIG, mesh, len(chips), SIZE, devices=chips)
    program = read_program(step.lower(state, batch).compile().as_text())
    assert {one.precision for one in products(program)} == {"highest"}
    return program, state


def bytes_of(tree):
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def test_bands_of_one_image_fetch_rows_of_their_neighbours_alone(chips):
    model = resolve_model(CONFIG["model"])
    variables = jax.eval_shape(lambda: init_variables(model, 0, 3, SIZE))
    lowered = BandPredictor(model, chips).lower(variables, SIZE, SIZE)
    program = read_program(lowered.compile().as_text())
    assert {one.precision for one in products(program)} == {"highest"}
    found = collectives(program)
    assert {one.kind for one in found} == {"collective-permute"}
    for one in found:
        # A row of a feature map, or of the logits.
        assert not one.in_loop and one.arrays[0].sides[1] == 1, one


def test_fsdp_gathers_parameters_and_scatters_the_sums_of_their_gradients(
    chips, monkeypatch
):
    monkeypatch.setattr(sharding, "_SMALLEST_SPLIT", 64)  # so that these are split
    program, state = compile_step(chips, data=4, fsdp=4)
    found = collectives(program)
    assert not [one for one in found if one.in_loop]
    leaves = jax.tree.leaves(state.params)
    split = [
        leaf for leaf in leaves if leaf.sharding.shard_shape(leaf.shape) != leaf.shape
    ]
    assert split
    shapes = {leaf.shape for leaf in split}
    shapes |= {leaf.sharding.shard_shape(leaf.shape) for leaf in split}
    for one in found:
        if one.kind != "all-reduce":
            assert one.kind in ("all-gather", "reduce-scatter"), one
            assert {array.sides for array in one.arrays} <= shapes, one
    # Gradients once, two moments of every norm and their gradients, the metrics.
    most = bytes_of(state.params) + 4 * bytes_of(state.batch_stats) + 1000
    assert sum(one.bytes for one in found if one.kind == "all-reduce") <= most
    gathered = sum(one.bytes for one in found if one.kind == "all-gather")
    assert gathered >= sum(bytes_of(leaf) for leaf in split)
