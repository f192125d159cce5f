"""What devices tell each other in a training step, read from the compiled program."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.resolve import resolve
from jaxseg.train import sharding
from jaxseg.train.abstract_step import abstract_step
from jaxseg.train.sharding import make_mesh
from jaxseg.weights.names import torch_key
from jaxseg.weights.part import is_below
from scripts.benchmark.measuring.program_products import products
from scripts.benchmark.measuring.program_text import read_program
from scripts.benchmark.measuring.program_traffic import collectives
from tests.models.segmentor_parts import SIDE
from tests.models.segmentors import SEGMENTORS, model_config, others_long
from tests.stablehlo import precisions

BATCH = 16


def abstract_step_of(name, dtype="float32", **sizes):
    """The step on eight devices, and its state and batch by shape and place."""
    config = {
        "model": model_config(name) | {"dtype": dtype},
        "optim_wrapper": dict(optimizer=dict(type="AdamW", lr=1e-3)),
    }
    return abstract_step(config, sizes, BATCH, (SIDE, SIDE))


def compile_step(name, **sizes):
    """The step's program on eight devices, and its state by shape and place."""
    step, state, batch = abstract_step_of(name, **sizes)
    return step.lower(state, batch).compile(), state


def check_sums(found, state):
    """That all-reduces are no larger than gradients, statistics and metrics make them.

    Of each statistic that is two moments and their gradients.
    """
    for one in found:
        assert not one.in_loop, one
    trees = (state.params, *[state.batch_stats] * 4)
    most = 1000 + sum(4 * leaf.size for leaf in jax.tree.leaves(trees))
    assert sum(one.bytes for one in found if one.kind == "all-reduce") <= most


@pytest.mark.parametrize("name", others_long("psp", "vit", "ocr"))
def test_data_parallel_steps_ask_for_sums_alone_and_multiply_in_float32(name):
    """What the step says itself; the long tests read what XLA makes of it.

    Forms of every platform are in it, and their gradients.
    """
    step, state, batch = abstract_step_of(name)
    # What the process has set is not asked.
    with jax.default_matmul_precision("bfloat16"):
        text = step.trace(state, batch).lower(lowering_platforms=("cpu", "tpu"))
    text = text.as_text()
    kinds = r"stablehlo\.(all_\w+|collective_\w+|reduce_scatter)"
    assert set(re.findall(kinds, text)) == {"all_reduce"}
    assert set(precisions(text)) == {"HIGHEST"}


@pytest.mark.parametrize("sizes", [dict(data=8), dict(data=2, fsdp=4)])
def test_gradients_of_bfloat16_are_summed_in_float32(sizes):
    step, state, batch = abstract_step_of("uper", dtype="bfloat16", **sizes)
    text = step.lower(state, batch).as_text()
    assert "bf16" in text
    sums = re.findall(
        r"stablehlo\.(?:all_reduce|reduce_scatter).*?\}\) : \((.*?)\) ->",
        text,
        re.DOTALL,
    )
    assert len(sums) > len(jax.tree.leaves(state.params))
    assert not [types for types in sums if "bf16" in types]


def test_a_step_of_some_devices_with_the_flags_of_the_config():
    config = {
        "model": model_config("vit"),
        "optim_wrapper": dict(optimizer=dict(type="AdamW", lr=1e-3)),
        "xla_flags": {"xla_cpu_no_flag": True},
    }
    devices = jax.devices()[4:]
    step, state, batch = abstract_step(config, {}, BATCH, (SIDE, SIDE), devices=devices)
    for leaf in jax.tree.leaves((state, batch)):
        assert leaf.sharding.device_set == set(devices)
    assert batch["img"].sharding.shard_shape(batch["img"].shape)[0] == BATCH // 4
    with pytest.raises(jax.errors.JaxRuntimeError, match="xla_cpu_no_flag"):
        step.lower(state, batch).compile()


@pytest.mark.long
@pytest.mark.parametrize("name", SEGMENTORS)
def test_data_parallel_steps_reduce_gradients_and_statistics_alone(name):
    compiled, state = compile_step(name)
    program = read_program(compiled.as_text())
    assert {one.precision for one in products(program)} == {"highest"}
    found = collectives(program)
    assert {one.kind for one in found} == {"all-reduce"}, found
    check_sums(found, state)
    frozen = resolve(model_config(name), "model").frozen_keys(state.params)
    trained = sum(
        4 * leaf.size
        for path, leaf in traverse_util.flatten_dict(state.params).items()
        if not any(is_below(torch_key(path), key) for key in frozen)
    )
    assert sum(one.bytes for one in found) >= trained


@pytest.mark.long
@pytest.mark.parametrize("name", SEGMENTORS)
def test_fsdp_steps_gather_parameters_alone(name, monkeypatch):
    # So that these models' parameters are split, too.
    monkeypatch.setattr(sharding, "_SMALLEST_SPLIT", 256)
    compiled, state = compile_step(name, data=2, fsdp=4)
    found = collectives(read_program(compiled.as_text()))
    assert {one.kind for one in found} == {
        "all-reduce",
        "all-gather",
        "reduce-scatter",
    }
    check_sums(found, state)
    leaves = jax.tree.leaves(state.params)
    whole = {leaf.shape for leaf in leaves}
    parts = {leaf.sharding.shard_shape(leaf.shape) for leaf in leaves}
    for one in found:
        if one.kind != "all-reduce":
            known = whole if one.kind == "all-gather" else parts
            assert {array.sides for array in one.arrays} <= known, one


def test_a_gathered_batch_and_a_sum_in_a_loop_are_found():
    """Both are what the partitioner makes of a step that is left to it."""
    mesh = make_mesh()
    rows = NamedSharding(mesh, P("data"))
    x = jax.ShapeDtypeStruct((8, 100), np.float32, sharding=rows)

    def program(function):
        return read_program(jax.jit(function).lower(x).compile().as_text())

    def kth(x):
        return jnp.sort(x.ravel())[7]

    gathered = collectives(program(kth))
    assert any(one.kind == "all-gather" and one.bytes == 3200 for one in gathered)

    def strips(x):
        def add(total, strip):
            return total + jnp.tanh(strip).sum(), None

        return jax.lax.scan(add, 0.0, x.T)[0]

    assert [one.in_loop for one in collectives(program(strips))] == [True]
