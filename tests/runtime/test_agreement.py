"""What hosts must have alike: the message names what differs, and who has what.

tests/faults/test_hosts.py has real processes that differ.
"""

import numpy as np

from jaxseg.runtime.agreement import (
    batch_facts,
    check_agreement,
    differences,
    program_facts,
)


def config(lr=0.01, classes=("road", "car"), **more):
    return {
        "config": {"optimizer": {"lr": lr, "betas": [0.9, 0.999]}, **more},
        "classes": list(classes),
    }


def test_equal_facts_have_no_differences():
    assert differences([config(), config(), config()]) == []


def test_a_difference_names_its_path_the_values_and_the_processes():
    assert differences([config(), config(lr=0.02)]) == [
        "config.optimizer.lr: process 0 has 0.01, process 1 has 0.02"
    ]
    assert differences([config(), config(lr=0.02), config()]) == [
        "config.optimizer.lr: processes 0, 2 have 0.01, process 1 has 0.02"
    ]


def test_what_only_one_has_is_a_difference():
    lines = differences([config(), config(ema={}, classes=("road", "car", "bus"))])
    assert sorted(lines) == [
        'classes.2: process 0 has nothing, process 1 has "bus"',
        "config.ema: process 0 has nothing, process 1 has {}",
    ]


def test_types_count_and_long_values_are_cut():
    assert differences([{"a": 1}, {"a": "1"}]) == [
        'a: process 0 has 1, process 1 has "1"'
    ]
    [line] = differences([{"a": "x" * 500}, {"a": "y"}])
    assert len(line) < 150


def test_a_batch_is_known_by_shapes_and_types():
    batch = {"img": np.zeros((2, 8, 8, 3), np.uint8)}
    other = {"img": np.zeros((2, 8, 9, 3), np.uint8)}
    assert differences([batch_facts(batch), batch_facts(other)]) == [
        "shape of a host's batch.img.2: process 0 has 8, process 1 has 9"
    ]


def test_one_process_agrees_with_itself():
    check_agreement(program_facts())
    assert len(program_facts()["source of jaxseg"]) == 12
