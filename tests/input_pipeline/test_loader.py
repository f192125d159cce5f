"""The same batches for any number of threads, workers, hosts and restarts."""

import subprocess
import sys

import numpy as np
import pytest

from input_pipeline.datasets import DigitsDataset, RepeatDataset
from input_pipeline.errors import DataError
from input_pipeline.loader import (
    collate,
    eval_samples,
    indices_of_batch,
    train_batches,
)
from input_pipeline.sources import SegDataset
from input_pipeline.transforms import SegRescale


def brighten(results, rng):
    """Augments by a number that the loader draws."""
    return results | {"img": results["img"] // 2 + rng.integers(128, dtype=np.uint8)}


class Numbers(SegDataset):
    """Sample i is 2x2 pixels of value i, with i as their label."""

    ignore_index = 255
    reduce_zero_label = False
    label_map = None
    file_palette = ()

    def __init__(self, count, *pipeline):
        self.count, self.pipeline = count, pipeline
        self.metainfo = {"classes": (), "palette": ()}

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        img = np.full((2, 2, 3), index, np.uint8)
        return {"img": img, "gt_seg_map": img[..., 0], "img_path": f"{index}.png"}


def take(iterator, count):
    with iterator:
        return [next(iterator) for _ in range(count)]


def assert_same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for key in batch:
            np.testing.assert_array_equal(batch[key], other[key])


def order(batches):
    return [int(v) for batch in batches for v in batch["img"][:, 0, 0, 0]]


def test_every_pass_has_each_sample_once_and_another_order():
    # 10 samples in batches of 4: batches run on across the end of a pass.
    seen = order(take(train_batches(Numbers(10), 4, seed=0), 15))
    passes = [seen[i : i + 10] for i in range(0, 60, 10)]
    assert all(sorted(one) == list(range(10)) for one in passes)
    assert len({tuple(one) for one in passes}) == 6
    assert seen != order(take(train_batches(Numbers(10), 4, seed=1), 15))


def test_an_epoch_has_every_sample_and_begins_with_a_batch():
    seen = order(take(train_batches(Numbers(10), 4, seed=0, by_epoch=True), 6))
    for first in (0, 12):
        epoch = seen[first : first + 12]
        assert sorted(epoch[:10]) == list(range(10))
        assert epoch[10:] == epoch[:2]
    assert seen[:12] != seen[12:]
    dropped = train_batches(Numbers(10), 4, seed=0, by_epoch=True, drop_last=True)
    assert order(take(dropped, 4)) == seen[:8] + seen[12:20]
    later = train_batches(Numbers(10), 4, seed=0, by_epoch=True, start_step=4)
    assert order(take(later, 2)) == seen[16:]
    found = [
        indices_of_batch(Numbers(10), 4, 0, step, by_epoch=True) for step in (2, 3)
    ]
    assert found == [seen[8:12], seen[12:16]]


def test_a_sample_is_augmented_anew_in_every_pass():
    # Halves of 0 and 1 are 0, so that a value is what was drawn for it.
    draws = order(take(train_batches(Numbers(2, brighten), 2, seed=0), 8))
    assert len(set(draws)) > 12  # 16 draws of 128 values; chance repeats a few


@pytest.mark.parametrize("num_threads", [0, 1, 8])
def test_threads_change_nothing(num_threads):
    dataset = Numbers(10, brighten)
    expected = take(train_batches(dataset, 4, 3), 8)
    assert_same(
        expected, take(train_batches(dataset, 4, 3, num_threads=num_threads), 8)
    )


def test_any_step_is_reached_at_once():
    dataset = Numbers(10, brighten)
    expected = take(train_batches(dataset, 4, 3), 9)
    assert_same(expected[6:], take(train_batches(dataset, 4, 3, start_step=6), 3))
    far = train_batches(dataset, 4, 3, start_step=10**12)
    assert len(order(take(far, 1))) == 4


@pytest.mark.parametrize("hosts", [1, 2, 4])
def test_hosts_get_the_blocks_of_one_global_batch(hosts):
    dataset = Numbers(10, brighten)
    expected = take(train_batches(dataset, 4, 3, start_step=1), 5)
    shares = [
        take(
            train_batches(
                dataset, 4, 3, start_step=1, process_index=p, process_count=hosts
            ),
            5,
        )
        for p in range(hosts)
    ]
    joined = [
        {key: np.concatenate([part[key] for part in step]) for key in step[0]}
        for step in zip(*shares, strict=True)
    ]
    assert_same(expected, joined)


# Two tests start worker processes, which takes seconds.
def test_workers_change_nothing():
    def darken(results, rng):  # local: a worker gets it by value, not by import
        return results | {
            "img": results["img"] // (1 + rng.integers(3, dtype=np.uint8))
        }

    dataset = DigitsDataset(num_scenes=10, size=(32, 32), pipeline=(darken,))
    expected = take(train_batches(dataset, 4, 3), 7)
    workers = train_batches(dataset, 4, 3, start_step=2, num_workers=2, num_threads=1)
    assert_same(expected[2:], take(workers, 5))


def test_an_error_in_a_worker_keeps_its_type_and_message_without_parsed_flags():
    program = """
from input_pipeline.datasets import DigitsDataset
from input_pipeline.errors import DataError
from input_pipeline.loader import train_batches

if __name__ == "__main__":
    def fail(results, rng):
        raise DataError("a.png is broken")

    batches = train_batches(DigitsDataset(pipeline=(fail,)), 2, 0, num_workers=2)
    try:
        next(batches)
    except DataError as error:
        print(error, "|", error.__notes__[0])
    batches.close()
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("a.png is broken | in sample ")
    assert ran.stderr == ""  # no worker, thread or shared memory was left behind


def test_an_error_keeps_its_type_and_message():
    def fail(results, rng):
        if results["img"].max() == 3:
            raise DataError("3.png is broken")
        return results

    batches = train_batches(Numbers(4, fail), 4, seed=0)
    with batches, pytest.raises(DataError) as caught:
        next(batches)
    assert str(caught.value) == "3.png is broken"
    assert caught.value.__notes__[0] == "in sample 3 of Numbers: 3.png"


def test_a_closed_loader_says_so():
    batches = train_batches(Numbers(4), 4, seed=0)
    batches.close()
    batches.close()
    with pytest.raises(ValueError, match="loader is closed"):
        next(batches)


@pytest.mark.parametrize("hosts", [1, 3, 8])
def test_evaluation_sees_every_sample_once_in_order(hosts):
    dataset = Numbers(7)
    shares = []
    for p in range(hosts):
        with eval_samples(dataset, process_index=p, process_count=hosts) as samples:
            shares.append([sample["img_path"] for sample in samples])
    assert [len(share) for share in shares] == [
        len(range(p, 7, hosts)) for p in range(hosts)
    ]
    interleaved = [shares[i % hosts][i // hosts] for i in range(7)]
    assert interleaved == [f"{i}.png" for i in range(7)]


def test_evaluation_draws_the_same_in_every_pass_and_on_every_host():
    dataset = Numbers(7, brighten)
    once = [sample["img"] for sample in eval_samples(dataset)]
    again = [sample["img"] for sample in eval_samples(dataset, num_threads=0)]
    second = eval_samples(dataset, process_index=1, process_count=2)
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(once[1::2], [sample["img"] for sample in second])
    assert len({int(img[0, 0, 0]) - i // 2 for i, img in enumerate(once)}) > 1


def test_a_batch_that_cannot_be_is_refused():
    with pytest.raises(DataError, match="has 3 samples, fewer than one batch of 4"):
        train_batches(Numbers(3), 4, 0)
    with pytest.raises(DataError, match="batch_size=4 .* multiple of the 3 processes"):
        train_batches(Numbers(9), 4, 0, process_count=3)
    with pytest.raises(DataError, match="batch_size=0"):
        train_batches(Numbers(9), 0, 0)


def sample(h, w, channels=3, dtype=np.uint8, value=7, name="a.png"):
    return {
        "img": np.full((h, w, channels), value, dtype),
        "gt_seg_map": np.full((h, w), 1, np.uint8),
        "img_path": name,
    }


def test_smaller_samples_are_padded_below_and_right():
    batch = collate([sample(2, 3), sample(4, 4)], (4, 5), ignore_index=255)
    image = np.zeros((4, 5), np.uint8)
    image[:2, :3] = 7
    np.testing.assert_array_equal(batch["img"][0, ..., 2], image)
    labels = np.full((4, 5), 255, np.uint8)
    labels[:2, :3] = 1
    np.testing.assert_array_equal(batch["gt_seg_map"][0], labels)
    np.testing.assert_array_equal(batch["img_shape"], [[2, 3], [4, 4]])
    assert batch["img_shape"].dtype == np.int32
    assert batch["gt_seg_map"].dtype == np.uint8
    assert all(array.flags.c_contiguous for array in batch.values())


def test_every_target_is_collated_in_its_own_type():
    depth = np.full((2, 3), 1.5, np.float32)
    edges = np.ones((2, 3), np.uint8)
    more = {"gt_depth_map": depth, "gt_edge_map": edges}
    batch = collate([sample(2, 3) | more], (3, 4), ignore_index=255)
    np.testing.assert_array_equal(batch["gt_edge_map"][0, :2, :3], edges)
    assert batch["gt_edge_map"].dtype == np.uint8
    assert (batch["gt_edge_map"][0, 2] == 255).all()
    np.testing.assert_array_equal(batch["gt_depth_map"][0, :2, :3], depth)
    assert batch["gt_depth_map"].dtype == np.float32
    assert (batch["gt_depth_map"][0, :, 3] == 0).all(), "not measured"


def rescaled(record):
    return SegRescale(0.5)(record, None)


def test_targets_of_another_size_than_their_image():
    record = rescaled(sample(5, 4))  # rounded half up
    assert record["gt_seg_map"].shape == (3, 2)
    batch = collate([record], (7, 6), ignore_index=255)
    assert batch["img"].shape == (1, 7, 6, 3)
    assert batch["gt_seg_map"].shape == (1, 4, 3)
    assert (batch["gt_seg_map"] == 255).sum() == 12 - 6


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_batch_keeps_the_type_of_the_source(dtype):
    batch = collate([sample(2, 2, channels=5, dtype=dtype)], None, ignore_index=255)
    assert batch["img"].shape == (1, 2, 2, 5)
    assert batch["img"].dtype == dtype


@pytest.mark.parametrize(
    "samples, size, message",
    [
        ([sample(4, 6)], (4, 5), r"a.png \(4, 6, 3\).* larger than the size \(4, 5\)"),
        (
            [sample(4, 4), sample(4, 5, name="b.png")],
            None,
            r"different sizes: a.png \(4, 4, 3\) uint8, b.png \(4, 5, 3\)",
        ),
        ([sample(4, 4), sample(4, 4, 1)], None, "different channels or types"),
        ([sample(4, 4), sample(4, 4, dtype=float)], (4, 4), "channels or types"),
        ([{"img": 0, "img_path": "a.png"}], None, "a.png has no label"),
        (
            [sample(4, 4) | {"gt_seg_map": np.zeros((4, 5), np.uint8)}],
            None,
            r"a.png: .* \(4, 4\), but its label \(4, 5\)",
        ),
        (
            [sample(4, 4) | {"gt_edge_map": np.zeros((4, 5), np.uint8)}],
            None,
            r"a.png: .* \(4, 4\), but its gt_edge_map \(4, 5\)",
        ),
        (
            [
                sample(4, 4),
                sample(4, 4, name="b.png") | {"gt_edge_map": np.zeros((4, 4))},
            ],
            None,
            "a.png has gt_seg_map, b.png has gt_seg_map, gt_edge_map",
        ),
        (
            [sample(4, 4), sample(4, 4, name="b.png") | {"target_scale": 0.5}],
            None,
            r"b.png: .* \(4, 4\), but its label \(4, 4\); SegRescale makes \(2, 2\)",
        ),
        (
            [sample(4, 4), rescaled(sample(4, 4, name="b.png"))],
            None,
            "1 times as large .* in a.png, 0.5 times in b.png",
        ),
        (
            [rescaled(sample(4, 4)) | {"device_flip": np.zeros(2, bool)}],
            None,
            "a.png: SegRescale .*augment_on_device",
        ),
    ],
)
def test_samples_that_do_not_fit_are_refused(samples, size, message):
    with pytest.raises(DataError, match=message):
        collate(samples, size, ignore_index=255)


def test_the_indices_of_any_batch_are_known():
    batches = take(train_batches(Numbers(10), 4, seed=5), 12)
    data = Numbers(10)
    found = [i for step in range(12) for i in indices_of_batch(data, 4, 5, step)]
    assert found == order(batches)


def refuse_3_and_4(results, rng):
    if results["img"][0, 0, 0] in (3, 4):
        raise DataError(f"{results['img_path']} is damaged")
    return brighten(results, rng)


def test_the_next_good_sample_takes_the_place_of_a_bad_one(caplog):
    data = Numbers(10, refuse_3_and_4)
    batches = take(train_batches(data, 5, seed=0, max_bad_samples=2), 4)
    labels = [int(v) for batch in batches for v in batch["gt_seg_map"][:, 0, 0]]
    # Two passes, in each of which samples 3 and 4 become 5.
    expected = [v for step in range(4) for v in indices_of_batch(data, 5, 0, step)]
    assert labels == [5 if v in (3, 4) else v for v in expected]
    # Each is met twice or more (4 in its own place and in that of 3), and counts once.
    assert caplog.text.count("4.png is damaged") == 1
    assert caplog.text.count("3.png is damaged") == 1
    assert "bad sample 1 of the 2 that train_dataloader.max_bad_samples" in caplog.text
    assert all("faults" not in batch for batch in batches)


def test_too_many_bad_samples_are_an_error():
    loader = train_batches(Numbers(10, refuse_3_and_4), 5, seed=0, max_bad_samples=1)
    with pytest.raises(DataError, match=r"bad sample 2 of the 1 .*in sample [34] of"):
        take(loader, 4)


def test_one_bad_sample_counts_once_however_often_the_data_set_repeats_it(caplog):
    data = RepeatDataset(times=3, dataset=Numbers(10, refuse_3_and_4))
    take(train_batches(data, 5, seed=0, max_bad_samples=2), 12)
    assert caplog.text.count("is damaged") == 2


def test_no_good_sample_far_and_wide_is_its_own_error():
    def refuse(results, rng):
        raise DataError("none is good")

    loader = train_batches(Numbers(20, refuse), 5, seed=0, max_bad_samples=100)
    with pytest.raises(DataError, match="none is good"):
        take(loader, 1)
