"""How a whole training ends: jaxseg's and mmseg's, by one config, in turns.

    python scripts/benchmark/training.py --config experiments/camvid_fast_scnn.py \\
        --torch-python ENV/bin/python --seeds 0,1 --workdir work_dirs/beside_mmseg

CONFIG is one of jaxseg's with a folder of images and labels; single values are replaced
by --config.PATH=VALUE, as for jaxseg.main. Each seed is trained by both, one after the
other, with the same number of steps and evaluations. A training that is done is not
repeated: the same command goes on where it was stopped, and one of jaxseg's within the
training. Prints the mIoU of each evaluation and the seconds of each training, and
writes them to WORKDIR/training.json and WORKDIR/training.png.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jaxseg.command_line import command
from jaxseg.config import parse_arguments
from jaxseg.load_config import load_config
from jaxseg.runtime.metrics_file import FILE_NAME, read_metrics
from jaxseg.settings.read import read_settings

# The measuring programs stand in this folder, not in an installed package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from scripts.benchmark.measuring.device import usable_cpus

_OTHER_SIDE = pathlib.Path(__file__).with_name("torch_side") / "training.py"


@command
def main(arguments: list[str]) -> int:
    """Trains, prints and draws; returns the exit code."""
    summary, _, details = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        description=summary,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, metavar="CONFIG")
    parser.add_argument("--torch-python", required=True, metavar="PYTHON")
    parser.add_argument("--workdir", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", default="0,1", help="0,1 by default")
    options, overrides = parse_arguments(parser, arguments)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    options.workdir.mkdir(parents=True, exist_ok=True)
    runs = {}
    for seed in seeds:
        changes = [*overrides, ("randomness.seed", seed)]
        for side, train in (("jaxseg", _train_ours), ("mmseg", _train_mmseg)):
            folder = options.workdir / f"{side}_{seed}"
            runs[folder.name] = _once(train, options, changes, folder)
    (options.workdir / "training.json").write_text(json.dumps(runs, indent=1))
    _draw(runs, options.workdir / "training.png")
    for name, run in runs.items():
        scores = ", ".join(f"{step}: {score:.2f}" for step, score in run["mIoU"])
        print(f"{name}  {run['seconds']:.0f} s  mIoU {scores}")
    return 0


def _once(train, options, changes, folder):
    """What a training gave, now or before."""
    done = folder / "beside.json"
    if done.exists():
        return json.loads(done.read_text())
    folder.mkdir(exist_ok=True)
    start = time.monotonic()
    scores = train(options, changes, folder)
    result = {"seconds": time.monotonic() - start, "mIoU": scores}
    done.write_text(json.dumps(result))
    return result


def _train_ours(options, changes, folder):
    given = [f"--config.{key}={value}" for key, value in changes]
    command = [sys.executable, "-m", "jaxseg.main", "--config", options.config]
    subprocess.run([*command, "--workdir", str(folder), *given], check=True)
    rows = read_metrics(folder / FILE_NAME)
    return [(row["step"], row["mIoU"]) for row in rows if row["split"] == "val"]


def _train_mmseg(options, changes, folder):
    job = make_job(load_config(options.config, overrides=changes))
    path = folder / "job.txt"
    path.write_text(repr(job | {"workdir": str(folder)}))
    scores = []
    command = [options.torch_python, str(_OTHER_SIDE), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith('{"step"'):
                row = json.loads(line)
                scores.append((row["step"], row["mIoU"]))
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return scores


def make_job(config: dict) -> dict:
    """What mmseg's side needs to train by a config of jaxseg's, of Python literals."""
    settings = read_settings(config)

    def part(name):
        loader = config[name]
        given = loader["dataset"]
        dataset = getattr(settings, name).dataset
        image, label = dataset.files()[0]
        found = dict(
            data_prefix=given["data_prefix"],
            pipeline=given["pipeline"],
            img_suffix=pathlib.Path(image).suffix,
            seg_map_suffix=pathlib.Path(label).suffix,
        )
        return dict(batch_size=loader.get("batch_size", 1), dataset=found)

    train_set = settings.train_dataloader.dataset
    loop = settings.train_loop
    return dict(
        model=config["model"],
        optim_wrapper=config["optim_wrapper"],
        param_scheduler=config["param_scheduler"],
        max_iters=loop.max_iters,
        val_interval=loop.val_interval,
        seed=settings.randomness.seed,
        classes=train_set.metainfo["classes"],
        palette=train_set.metainfo["palette"],
        label_map=train_set.label_map,
        data_root=str(config["train_dataloader"]["dataset"]["data_root"]),
        threads=usable_cpus(),
        train=part("train_dataloader"),
        val=part("val_dataloader"),
    )


def _draw(runs, path):
    # A Figure of its own: pyplot's would stay open, and depends on a display.
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, run in runs.items():
        steps, scores = zip(*run["mIoU"], strict=True)
        ours = name.startswith("jaxseg")
        axes.plot(steps, scores, "o-" if ours else "s--", label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("validation mIoU, %")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
