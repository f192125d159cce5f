"""Meshes that can be, and where arrays lie on them. Every test sees eight devices."""

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxseg.config import ConfigError
from jaxseg.train.sharding import make_mesh, put_batch, state_sharding


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (None, (8, 1, 1)),
        (dict(fsdp=2), (4, 2, 1)),
        (dict(data=2, spatial=-1), (2, 1, 4)),
        (dict(data=1, fsdp=2, spatial=4), (1, 2, 4)),
    ],
    ids=str,
)
def test_the_sizes_of_a_mesh(sizes, expected):
    assert tuple(make_mesh(sizes).shape.values()) == expected


def test_a_mesh_of_some_devices():
    devices = jax.devices()[2:6]
    mesh = make_mesh(dict(fsdp=2), devices)
    assert tuple(mesh.shape.values()) == (2, 2, 1)
    assert set(mesh.devices.flat) == set(devices)
    with pytest.raises(ConfigError, match="does not multiply to the 4 devices"):
        make_mesh(dict(data=8), devices)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (dict(dat=8), r"mesh\.dat: no such axis \(did you mean 'data'\?\)"),
        (dict(data=3), "does not multiply to the 8 devices"),
        (dict(data=-1, fsdp=-1), "does not multiply to the 8 devices"),
        (dict(data=0), r"mesh\.data is 0; allowed are 1, 2, \.\.\., or -1"),
        (dict(fsdp="two"), r"mesh\.fsdp is 'two'"),
        # XLA aborts the process for these: tried with 2x2x2, 2x4x2 and 4x2x2.
        (dict(data=2, fsdp=2, spatial=2), "set one of data, fsdp and spatial to 1"),
    ],
    ids=str,
)
def test_a_mesh_that_cannot_be(sizes, message):
    with pytest.raises(ConfigError, match=message):
        make_mesh(sizes)


def test_large_arrays_are_split_over_fsdp_along_their_longest_axis():
    shapes = {
        "large": (3, 3, 128, 256),
        "small": (3, 3, 8, 8),
        "odd": (257, 257),
        "scalar": (),
    }
    tree = {
        name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in shapes.items()
    }
    split = state_sharding(tree, make_mesh(dict(fsdp=2)))
    assert {name: place.spec for name, place in split.items()} == {
        "large": P(None, None, None, "fsdp"),
        "small": P(None, None, None, None),
        "odd": P(None, None),
        "scalar": P(),
    }
    alone = state_sharding(tree, make_mesh())
    assert all(place.is_fully_replicated for place in alone.values())


def batch_of(size, height=8):
    return {
        "img": np.arange(size * height * 4 * 3).reshape(size, height, 4, 3),
        "gt_seg_map": np.zeros((size, height, 4), np.uint8),
        "img_shape": np.full((size, 2), height, np.int32),
    }


def test_a_batch_is_split_into_samples_and_rows():
    batch = batch_of(4)
    placed = put_batch(batch, make_mesh(dict(data=2, spatial=4)))
    first = placed["img"].addressable_shards[1]  # of the spatial axis
    np.testing.assert_array_equal(first.data, batch["img"][:2, 2:4])
    assert placed["gt_seg_map"].addressable_shards[0].data.shape == (2, 2, 4)
    assert placed["img_shape"].addressable_shards[0].data.shape == (2, 2)


def test_rows_that_do_not_divide_stay_whole():
    placed = put_batch(batch_of(4, height=6), make_mesh(dict(data=2, spatial=4)))
    assert placed["img"].addressable_shards[0].data.shape == (2, 6, 4, 3)


def test_a_batch_must_divide_over_the_devices():
    with pytest.raises(ConfigError, match=r"batch_size is 6, .* = 8 must divide it"):
        put_batch(batch_of(6), make_mesh(dict(fsdp=2)))
