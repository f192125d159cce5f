"""Records of a run whose lines a kill, a full disk or an editor has damaged."""

import json

import pytest

from jaxseg.runtime.json_lines import drop_after, is_step, read_records


def is_record(line):
    return is_step(line.get("step"))


GOOD = [{"step": step, "value": step / 2} for step in (1, 2, 3)]

DAMAGED = [
    '{"step": 2, "val',
    '{"value": 1}}',
    "[1, 2]",
    "null",
    '{"value": 1}',
    '{"step": "2"}',
    '{"step": null}',
    '{"step": true}',
    '{"step": -1}',
    '{"step": 1.5}',
    '{"step": 2} {"step": 2}',
    "[" * 100_000,
    "\ufffd\ufffd",
]


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: text[:20])
@pytest.mark.parametrize("place", [0, 2, 3])
def test_a_damaged_line_is_set_aside_and_the_others_stay(tmp_path, caplog, text, place):
    path = tmp_path / "lines.jsonl"
    lines = [json.dumps(record) for record in GOOD]
    lines.insert(place, text)
    path.write_text("\n".join(lines))
    assert read_records(path, is_record) == (GOOD, [text])
    drop_after(path, 2, is_record)
    assert [json.loads(x) for x in path.read_text().splitlines()] == GOOD[:2]
    assert (tmp_path / "lines.jsonl.damaged").read_text() == text + "\n"
    assert "lines.jsonl: 1 lines that are no records" in caplog.text


def test_bytes_that_are_no_text_are_set_aside_too(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"step": 1}\n\xff\xfe{"step": 2}\n' + b"\0" * 40)
    drop_after(path, 5, is_record)
    assert path.read_text() == '{"step": 1}\n'
    drop_after(path, 0, is_record)
    assert path.read_text() == ""


def test_without_a_file_nothing_happens(tmp_path):
    drop_after(tmp_path / "lines.jsonl", 1, is_record)
    assert list(tmp_path.iterdir()) == []
