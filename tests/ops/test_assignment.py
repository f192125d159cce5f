import itertools

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxseg.ops.assignment import assign_rows


def best(cost, counts):
    """{column: row} of the smallest sum, by trying all."""
    columns = np.flatnonzero(counts)
    number = min(len(columns), len(cost))
    pairs = (
        zip(some, rows, strict=True)
        for some in itertools.combinations(columns, number)
        for rows in itertools.permutations(range(len(cost)), number)
    )
    found = min((dict(p) for p in pairs), key=lambda p: total(cost, p))
    return {int(column): int(row) for column, row in found.items()}


def total(cost, pairs):
    return sum(float(cost[row, column]) for column, row in pairs.items())


def pairs_of(row, paired):
    return {int(c): int(row[c]) for c in np.flatnonzero(np.asarray(paired))}


@pytest.mark.parametrize("shape", [(5, 5), (6, 3), (3, 6)])
def test_it_is_the_best_of_all(shape):
    rng = np.random.default_rng(0)
    run = jax.jit(assign_rows)
    for share in (0, 0.4, 0.7, 1):
        cost = rng.standard_normal(shape).astype(np.float32)
        counts = rng.random(shape[1]) < share
        assert pairs_of(*run(cost, counts)) == best(cost, counts)


def test_costs_that_are_not_finite_come_last():
    cost = np.array([[np.nan, 1.0], [2.0, np.inf]], np.float32)
    assert pairs_of(*assign_rows(cost, np.array([True, True]))) == {0: 1, 1: 0}
    nothing = np.full((2, 2), np.nan, np.float32)
    assert len(pairs_of(*assign_rows(nothing, np.array([True, True])))) == 2


def test_images_on_several_devices():
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    cost = np.random.default_rng(1).standard_normal((4, 4, 6)).astype(np.float32)
    counts = np.ones((4, 6), bool)
    counts[2, 1:] = False

    def images(cost, counts):
        return jax.lax.map(lambda image: assign_rows(*image), (cost, counts))

    split = jax.shard_map(images, mesh=mesh, in_specs=P("data"), out_specs=P("data"))
    for row, paired, one, count in zip(*split(cost, counts), cost, counts, strict=True):
        assert pairs_of(row, paired) == best(one, count)
