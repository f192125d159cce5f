"""`model.precision`: the same products in every program, whatever a process has set."""

import jax
import jax.numpy as jnp
import pytest

from jaxseg.config import ConfigError
from jaxseg.resolve import resolve
from jaxseg.segmentors import EncoderDecoder
from scripts.benchmark.measuring.program_products import products
from scripts.benchmark.measuring.program_text import read_program
from tests.models.segmentor_parts import SIDE
from tests.models.segmentors import SEGMENTORS, model_config
from tests.stablehlo import precisions

IMAGES = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)


def build(name, **keys):
    model = resolve(model_config(name) | keys, "model")
    return model, jax.eval_shape(model.init, jax.random.key(0), IMAGES)


def lowered(model, variables, method="encode_decode", *args):
    def run(variables, images):
        return model.apply(variables, images, *args, method=method)

    traced = jax.jit(run).trace(variables, IMAGES)
    return traced.lower(lowering_platforms=("cpu", "tpu")).as_text()


@pytest.mark.long
@pytest.mark.parametrize("name", SEGMENTORS)
def test_inference_multiplies_in_float32(name):
    with jax.default_matmul_precision("bfloat16"):
        found = precisions(lowered(*build(name)))
    assert set(found) == {"HIGHEST"}


# The prediction of the first two has parts that their training has not.
@pytest.mark.parametrize(
    ("name", "keys", "expected"),
    [
        ("point_rend", {}, "HIGHEST"),
        ("maskformer", dict(precision="high"), "HIGH"),
        ("vit", dict(precision="default"), "DEFAULT"),
        ("vit", dict(dtype="bfloat16"), "DEFAULT"),
        ("vit", dict(dtype="bfloat16", precision="highest"), "HIGHEST"),
    ],
)
def test_a_model_says_its_precision(name, keys, expected):
    with jax.default_matmul_precision("float32"):
        found = set(precisions(lowered(*build(name, **keys))))
    # The product of MaskFormer's masks and classes, and resizes, keep all digits.
    assert found == {expected, "HIGHEST"}


def test_a_gradient_that_is_taken_elsewhere():
    """Backward passes that are written by hand are traced outside of the model."""
    model, variables = build("vit")
    forward = jax.jit(lambda v, x: model.apply(v, x, method="logits"))
    gradient = jax.grad(lambda v, x: forward(v, x).sum())
    traced = jax.jit(gradient).trace(variables, IMAGES)
    text = traced.lower(lowering_platforms=("cpu", "tpu")).as_text()
    found = precisions(text)
    assert len(found) > len(precisions(lowered(model, variables)))
    assert set(found) == {"HIGHEST"}


def test_what_a_subclass_computes_has_it_too():
    class Squared(EncoderDecoder):
        def logits(self, images):
            x = super().logits(images)
            return jnp.einsum("nhwc,nhwd->nhcd", x, x)

    plain, variables = build("uper")
    fields = {name: getattr(plain, name) for name in ("backbone", "decode_head")}
    fields = {name: part.clone() for name, part in fields.items()}
    found = precisions(lowered(Squared(**fields), variables, "logits"))
    assert len(found) > len(precisions(lowered(plain, variables, "logits")))
    assert set(found) == {"HIGHEST"}


def compiled(name, device):
    """What the compiler of a device makes of an inference."""
    model, variables = build(name)
    place = jax.sharding.SingleDeviceSharding(device)
    run = jax.jit(
        lambda v, x: model.apply(v, x, method="encode_decode"), out_shardings=place
    )
    arguments = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        (variables, IMAGES),
    )
    program = read_program(run.lower(*arguments).compile().as_text())
    return {one.precision for one in products(program)}


def test_compiled_text_of_a_cpu():
    assert compiled("uper", jax.devices()[0]) == {"highest"}


@pytest.mark.long
@pytest.mark.parametrize("name", SEGMENTORS)
def test_compiled_text_of_every_model_on_a_cpu(name):
    assert compiled(name, jax.devices()[0]) == {"highest"}


def test_another_word_is_refused():
    with pytest.raises(ConfigError, match=r"model: precision is 'float32', allowed"):
        build("uper", precision="float32")
