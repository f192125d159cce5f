import pytest

from input_pipeline.batch_order import BatchOrder


def places(order, steps):
    return [
        [order.place(step, i) for i in range(order.batch_size)] for step in range(steps)
    ]


@pytest.mark.parametrize(
    ("drop_last", "length", "expected"),
    [
        # Of 5 samples and batches of 2, the last begins anew with the epoch's first.
        (False, 3, [[0, 1], [2, 3], [4, 0], [5, 6], [7, 8], [9, 5]]),
        (True, 2, [[0, 1], [2, 3], [5, 6], [7, 8]]),
    ],
)
def test_epochs(drop_last, length, expected):
    order = BatchOrder(5, 2, by_epoch=True, drop_last=drop_last)
    assert order.epoch_length == length
    assert places(order, len(expected)) == expected


def test_without_epochs_batches_run_on():
    assert places(BatchOrder(5, 2), 3) == [[0, 1], [2, 3], [4, 5]]
