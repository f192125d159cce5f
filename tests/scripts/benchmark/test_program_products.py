"""Products of a program's text: their arithmetic by hand and by XLA, and what tiles add."""

import jax
import jax.numpy as jnp
import pytest

from scripts.benchmark.measuring.hlo_shape import read_arrays
from scripts.benchmark.measuring.program_products import products
from scripts.benchmark.measuring.program_text import read_program


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bf16[4,6,9,19]{3,0,2,1:T(8,128)(2,1)}", (2, 1, 1, 128 / 19)),
        ("bf16[4,6,9,256]{3,0,2,1:T(4,128)(2,1)}", (1, 1, 1, 1)),
        ("f32[7]{0:T(256)}", (256 / 7,)),
        ("f32[3,5,100]{2,1,0:T(*,8,128)}", (1, 16 / 15, 1.28)),
        ("f32[3,5]{1,0}", (1, 1)),
        ("f32[]{:T(128)}", ()),
    ],
)
def test_what_tiles_add_to_each_dimension(text, expected):
    (array,) = read_arrays(text)
    assert array.padding == pytest.approx(expected)


PRODUCTS = """\
%scaled (p: bf16[2,8,16,3], q: bf16[3,3,3,19]) -> bf16[2,4,8,19] {
  %p = bf16[2,8,16,3]{3,0,2,1:T(8,128)(2,1)} parameter(0)
  %q = bf16[3,3,3,19]{3,2,1,0:T(4,128)(2,1)} parameter(1)
  %y = bf16[2,4,8,19]{3,0,2,1:T(2,128)(2,1)} convolution(%p, %q), window={size=3x3 stride=2x2 pad=1_1x1_1}, dim_labels=b01f_01io->b01f, metadata={op_name="jit(f)/stem/conv"}
  ROOT %z = bf16[2,4,8,19]{3,0,2,1:T(2,128)(2,1)} maximum(%y, %y)
}

ENTRY %main (x: bf16[2,8,16,3], k: bf16[3,3,3,19], a: f32[5,6,7], b: f32[5,7,9]) -> f32[5,6,9] {
  %x = bf16[2,8,16,3]{3,0,2,1:T(8,128)(2,1)} parameter(0)
  %k = bf16[3,3,3,19]{3,2,1,0:T(4,128)(2,1)} parameter(1)
  %a = f32[5,6,7]{2,1,0:T(8,128)} parameter(2)
  %b = f32[5,7,9]{2,1,0:T(8,128)} parameter(3)
  %stem = bf16[2,4,8,19]{3,0,2,1:T(2,128)(2,1)} fusion(%x, %k), kind=kOutput, calls=%scaled, metadata={op_name="jit(f)/stem/relu"}
  ROOT %head = f32[5,6,9]{2,1,0:T(8,128)} dot(%a, %b), lhs_batch_dims={0}, lhs_contracting_dims={2}, rhs_batch_dims={0}, rhs_contracting_dims={1}, operand_precision={highest,default}
}
"""


def test_a_convolution_and_a_dot_by_hand():
    stem, head = products(read_program(PRODUCTS))
    # Of four rows and eight columns the first sees two of its three taps.
    assert stem.flops == 2 * 2 * 19 * 3 * (4 * 3 - 1) * (8 * 3 - 1)
    # Two images fill tiles of 8, 3 and 19 channels those of 128.
    assert stem.padded_flops == pytest.approx(
        stem.flops * (8 / 2) * (128 / 3) * (128 / 19)
    )
    assert stem.bytes == 2 * (2 * 8 * 16 * 3 + 3 * 3 * 3 * 19 + 2 * 4 * 8 * 19)
    assert stem.op_name == "jit(f)/stem/conv"
    assert (stem.precision, head.precision) == ("default", "highest+default")
    assert head.flops == 2 * 5 * 6 * 7 * 9
    assert head.padded_flops == pytest.approx(2 * 5 * 8 * 128 * 128)
    assert str(head) == "f32[5,6,7] x f32[5,7,9] -> f32[5,6,9]"


def convolve(x, kernel, **options):
    return jax.lax.conv_general_dilated(
        x, kernel, dimension_numbers=("NHWC", "HWIO", "NHWC"), **options
    )


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((3, 3, 8, 8), dict(window_strides=(2, 1), padding=((1, 1), (0, 2)))),
        ((3, 3, 8, 8), dict(window_strides=(1, 1), padding="SAME", rhs_dilation=(2, 3))),
        ((2, 4, 8, 8), dict(window_strides=(1, 1), padding=((1, 1), (2, 2)), lhs_dilation=(2, 2))),
        ((3, 3, 2, 8), dict(window_strides=(1, 1), padding="VALID", feature_group_count=4)),
    ],
    ids=["stride", "dilation", "transposed", "groups"],
)  # fmt: skip
@pytest.mark.parametrize("takes_gradient", [False, True])
def test_the_arithmetic_is_what_xla_counts(kernel, options, takes_gradient):
    """Of a product alone: XLA counts nothing else in such a program."""

    def run(x, kernel):
        return convolve(x, kernel, **options)

    x, kernel = (jnp.ones(shape) for shape in ((2, 10, 12, 8), kernel))
    arguments = x, kernel
    if takes_gradient:
        arguments = jax.eval_shape(run, x, kernel), x, kernel
        arguments = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), arguments)

        def program(y, x, kernel):
            return jax.vjp(run, x, kernel)[1](y)
    else:
        program = run
    lowered = jax.jit(program).lower(*arguments)
    text = lowered.compiler_ir("hlo").as_hlo_module().to_string()
    found = products(read_program(text))
    assert len(found) == (2 if takes_gradient else 1)
    count = lowered.cost_analysis()["flops"]
    assert sum(one.flops for one in found) == pytest.approx(count, rel=1e-6)
    # Nothing is laid into tiles before a chip's compiler has seen it.
    assert all(one.padded_flops == one.flops for one in found)
