"""Sums and rows of an evaluation, brought together from all hosts."""

import json

import jax
import numpy as np
from jax.experimental import multihost_utils


def sum_over_hosts(total: np.ndarray) -> np.ndarray:
    """The sum of the hosts' int64 arrays: exact, although what JAX sends has 32 bits."""
    if jax.process_count() == 1:
        return total
    halves = np.stack([total & 0xFFFFFFFF, total >> 32]).astype(np.uint32)
    gathered = multihost_utils.process_allgather(halves).astype(np.int64)
    return (gathered[:, 0] + (gathered[:, 1] << 32)).sum(0)


def rows_of_hosts(rows: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """The rows of all hosts, by the number of the sample in the data set.

    Args:
        rows: this host's, float64 (K,) each.
    """
    if jax.process_count() == 1:
        return rows
    numbers = np.array(list(rows), np.int64)
    parts = zip(
        _bytes_of_hosts(numbers.tobytes()),
        _bytes_of_hosts(b"".join(row.tobytes() for row in rows.values())),
        strict=True,
    )
    found = {}
    for places, values in parts:
        places = np.frombuffer(places, np.int64).tolist()
        if places:
            table = np.frombuffer(values, np.float64).reshape(len(places), -1)
            found.update(zip(places, table, strict=True))
    return found


def names_of_hosts(names: dict[int, str]) -> dict[int, str]:
    """The names of all hosts, by the number of the sample in the data set."""
    if jax.process_count() == 1:
        return names
    texts = _bytes_of_hosts(json.dumps(list(names.items())).encode())
    return {number: name for text in texts for number, name in json.loads(text)}


def _bytes_of_hosts(data: bytes) -> list[bytes]:
    """What every host has, of whatever length."""
    gather = multihost_utils.process_allgather
    lengths = gather(np.array(len(data), np.int32))
    padded = np.zeros(max(lengths), np.uint8)
    padded[: len(data)] = np.frombuffer(data, np.uint8)
    gathered = np.asarray(gather(padded)) if len(padded) else [padded] * len(lengths)
    return [
        row[:length].tobytes() for row, length in zip(gathered, lengths, strict=True)
    ]
