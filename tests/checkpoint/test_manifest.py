"""The checksum of an array, and paths of a state."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxseg.checkpoint import manifest


def test_nest_undoes_flatten():
    state = {"params": {"layer1.0": {"kernel": np.ones(2)}}, "step": np.zeros(())}
    flat = manifest.flatten(state)
    assert list(flat) == ["params/layer1.0/kernel", "step"]
    assert manifest.nest(flat) == state


def test_what_is_known_of_the_source_stays_when_scores_are_added(tmp_path):
    source = {"meta": {"classes": ["a"]}, "keys": ["x"], "counters": {"n": 1 << 40}}
    body = manifest.build(7, {}, {}, None, source=source)
    (tmp_path / manifest.ITEM).mkdir()
    (tmp_path / manifest.ITEM / manifest.FILE_NAME).write_text(json.dumps(body))
    manifest.add_metrics(tmp_path, {"mIoU": 50.0})
    assert manifest.read(tmp_path)["source"] == source
    assert manifest.read(tmp_path)["metrics"] == {"mIoU": 50.0}


def test_checksum_of_a_small_array_by_hand():
    # Weights 1, 3, 5: 7 * 1 + 0 * 3 + 2 * 5.
    assert manifest.checksums({"x": np.array([7, 0, 2], np.uint8)}) == {"x": 17}
    # float32 1.0 is 0x3F800000; the weight of the second element is 3.
    one = np.array([0, 1], np.float32)
    assert manifest.checksums({"x": one}) == {"x": 0x3F800000 * 3 % 2**32}
    assert manifest.checksums({"x": np.array(True)}) == {"x": 1}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8", "int32", "uint16"])
def test_any_one_flipped_bit_changes_the_checksum(dtype):
    x = np.random.default_rng(0).integers(0, 200, (5, 7)).astype(jnp.dtype(dtype))
    before = manifest.checksums({"x": x})
    for bit in range(0, x.nbytes * 8, 11):
        raw = bytearray(x.tobytes())
        raw[bit // 8] ^= 1 << bit % 8
        flipped = np.frombuffer(bytes(raw), x.dtype).reshape(x.shape)
        assert manifest.checksums({"x": flipped}) != before


def test_the_checksum_does_not_depend_on_the_sharding():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(16, 24)), jnp.float32)
    expected = manifest.checksums({"x": x})
    mesh = jax.make_mesh((4, 2), ("a", "b"), (AxisType.Auto,) * 2)
    for axes in (("a", "b"), ("b", None), (None, "a"), ()):
        y = jax.device_put(x, NamedSharding(mesh, PartitionSpec(*axes)))
        assert manifest.checksums({"x": y}) == expected
