"""What a TPU's compiler makes of an inference: exchanges and precision.

No TPU is needed, but its compiler, libtpu. The model is small: each program takes it
some seconds.
"""

import jax
import pytest

from jaxseg.inference.bands import BandPredictor
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables
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
