"""What several hosts counted, as one of them sees it."""

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from jaxseg.evaluation.gather import names_of_hosts, rows_of_hosts, sum_over_hosts


@pytest.fixture
def hosts(monkeypatch):
    """run(function, of each host its argument) -> what each host gets.

    The hosts run in turns until each of them has said all that the others wait for.
    """

    def run(function, arguments):
        said = [[] for _ in arguments]
        for _ in range(20):
            results = []
            for mine, argument in zip(said, arguments):
                calls = iter(range(20))

                def allgather(x, mine=mine, calls=calls):
                    call = next(calls)
                    if len(mine) == call:
                        mine.append(np.asarray(x))
                    if any(len(other) <= call for other in said):
                        raise StopIteration
                    return np.stack([other[call] for other in said])

                monkeypatch.setattr(multihost_utils, "process_allgather", allgather)
                try:
                    results.append(function(argument))
                except StopIteration:
                    pass
            if len(results) == len(arguments):
                return results
        raise AssertionError("the hosts never came to an end")

    monkeypatch.setattr(jax, "process_count", lambda: 3)
    return run


def test_sums_are_exact_above_32_bits(hosts):
    totals = [np.array([2**40 + 1, 7]), np.array([2**33 - 1, 0]), np.array([5, 5])]
    for found in hosts(sum_over_hosts, totals):
        assert found.tolist() == [2**40 + 2**33 + 5, 12]


def test_rows_and_names_of_all_hosts(hosts):
    rows = [{0: np.array([0.1, np.nan]), 3: np.array([1e300, 2])}, {}, {2: np.ones(2)}]
    for found in hosts(rows_of_hosts, rows):
        assert sorted(found) == [0, 2, 3]
        np.testing.assert_array_equal(found[0], [0.1, np.nan])
        np.testing.assert_array_equal(found[3], [1e300, 2])
    names = [{0: "straße.png", 3: "b.png"}, {}, {2: "c.png"}]
    for found in hosts(names_of_hosts, names):
        assert found == {0: "straße.png", 2: "c.png", 3: "b.png"}
