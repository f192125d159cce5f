import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]

GOOD = """
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', size=(64, 64)),
    backbone=dict(type='UNet', base_channels=4),
    decode_head=dict(
        type='FCNHead', in_channels=4, in_index=4, channels=4, num_classes=2))
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=10, val_interval=10)
"""


def coverage(root, *options):
    return subprocess.run(
        [sys.executable, "scripts/mmseg_coverage.py", str(root), *options],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_counts_and_what_is_missing(tmp_path):
    (tmp_path / "_base_").mkdir()
    (tmp_path / "_base_" / "good.py").write_text(GOOD)
    (tmp_path / "good.py").write_text("_base_ = './_base_/good.py'\n")
    (tmp_path / "b.py").write_text(
        "_base_ = './_base_/good.py'\nmodel = dict(backbone=dict(type='NoNet'))\n"
    )
    result = coverage(tmp_path)
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[:3] for line in lines[:5]] == [
        [count, "of", "2"] for count in ("2", "2", "1", "1", "1")
    ]
    assert lines[-1] == ["1", "NoNet"]
    # A model that nothing is missing for, and that cannot be built, is no silent one.
    (tmp_path / "c.py").write_text(
        "_base_ = './_base_/good.py'\nmodel = dict(decode_head=dict(channels='x'))\n"
    )
    result = coverage(tmp_path, "--processes", "2")
    assert result.returncode == 1
    lines = [line.split()[:3] for line in result.stdout.splitlines()[:5]]
    assert lines == [[count, "of", "3"] for count in ("3", "2", "1", "1", "1")]
    assert "FAILED  c.py: " in result.stderr and "channels" in result.stderr


def test_where_there_are_no_configs(tmp_path):
    result = coverage(tmp_path)
    assert result.returncode == 2
    assert "--processes is 0, allowed" in coverage(tmp_path, "--processes", "0").stderr
    assert "pip download --no-deps mmsegmentation==1.2.2" in result.stderr
