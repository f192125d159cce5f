"""Command line: trains, evaluates or predicts, as a config says.

    python -m jaxseg.main --config experiments/digits_unet.py
    python -m jaxseg.main --config FILE --workdir DIR --config.model.backbone.depth=101
    python -m jaxseg.main --mode eval --config DIR/config.json --checkpoint DIR
    python -m jaxseg.main --mode test --config DIR/config.json --checkpoint DIR
    python -m jaxseg.main --mode predict --checkpoint DIR --input photos --output out
    python -m jaxseg.main --mode lr_find --config FILE

The same command goes on with a run that was stopped or killed.
"""

import os
import sys
from pathlib import Path

import jax
from absl import app, flags

from jaxseg.checkpoint.layout import run_of
from jaxseg.command_line import command, sign_messages
from jaxseg.config import split_overrides
from jaxseg.evaluation.outputs import Outputs
from jaxseg.evaluation.run import evaluate_checkpoint, predict_split
from jaxseg.inference.loaded import load_model
from jaxseg.inference.output_formats import DEFAULT_FORMATS, check_formats
from jaxseg.inference.pictures import NotPredictedError, find_images, predict_files
from jaxseg.load_config import EVALUATION, INFERENCE, TEST, TRAINING, load_config
from jaxseg.runtime import hosts
from jaxseg.runtime.host_memory import keep_freed_memory
from jaxseg.train.loop import train
from jaxseg.train.lr_find import find_learning_rate

_CONFIG = flags.DEFINE_string(
    "config",
    None,
    "The config: a .py file with get_config(), `file.py:argument` for "
    "get_config(argument), the config.json of a work directory, or an unmodified "
    "config of mmsegmentation 0.x or 1.x, a .py file too. Single values are replaced "
    "by --config.PATH=VALUE, such as --config.model.backbone.depth=101 or "
    "--config.train_dataloader.dataset.pipeline.2.crop_size=[512,512]. Of mmsegmentation's "
    "configs its own paths are taken, too: --config.data.samples_per_gpu=4, and "
    "--cfg-options PATH=VALUE PATH=VALUE.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Where checkpoints, logs and pictures go. Default: work_dirs/NAME-OF-THE-CONFIG; of "
    "eval, test and predict the work directory of --checkpoint, where it is a run's.",
)
_MODE = flags.DEFINE_enum(
    "mode",
    "train",
    ["train", "eval", "test", "predict", "lr_find"],
    "train: train and evaluate, going on where the work directory's last checkpoint "
    "is. eval: score a checkpoint on val_dataloader. test: on test_dataloader. predict: "
    "label images. lr_find: train some steps with a rising learning rate, draw their "
    "loss, and suggest a rate.",
)
_LR_RANGE = flags.DEFINE_list(
    "lr_range", ["1e-6", "1"], "lr_find: the first and the last learning rate."
)
_LR_STEPS = flags.DEFINE_integer("lr_steps", 100, "lr_find: the number of steps.")
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    None,
    "eval, test and predict: a work directory, its checkpoints folder, or one step of it; "
    "DIR:best takes the best step by save_best, not the latest. Or a .pth of mmseg, "
    ".safetensors or .npz file, or a URL, for which --config is needed; several files, "
    "with commas between them, are pieces of one model. Or a model of Hugging Face's, "
    "hf://OWNER/NAME or its folder, which brings its config. Default: the work directory.",
)
_INPUT = flags.DEFINE_string(
    "input",
    None,
    "predict: an image, several, a folder (at any depth), or a glob; a video; or the "
    "number of a camera, 0 for the first, until Ctrl-C.",
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "predict: the folder for the label maps and pictures of --output_format. Default: "
    "output, in the work directory of the checkpoint's run.",
)
_OUTPUT_FORMAT = flags.DEFINE_list(
    "output_format",
    None,
    "predict: what --output gets, with commas between several; by default "
    f"{','.join(DEFAULT_FORMATS)}, of a video overlay. mask: class "
    "indices with the palette, labels/NAME.png. color: colors/NAME.png. overlay: the "
    "colours over the image, overlays/NAME.jpg. probability: probabilities/NAME.npy, "
    "float32 (height, width, classes). polygons: GeoJSON in pixels, "
    "polygons/NAME.json. rle: COCO's run lengths, rle/NAME.json.",
)
_FORMAT_ONLY = flags.DEFINE_string(
    "format_only",
    None,
    "eval and test: this folder gets label maps as the data set's test server takes "
    "them; nothing is scored, and no labels are needed.",
)
_SHOW_DIR = flags.DEFINE_string(
    "show_dir",
    None,
    "eval and test: this folder gets pictures: image, ground truth, prediction.",
)
_OUT = flags.DEFINE_string(
    "out",
    None,
    "eval and test: this folder gets NAME.png of each image, class indices with the "
    "palette.",
)
_OUT_PROBABILITIES = flags.DEFINE_bool(
    "out_probabilities",
    False,
    "With --out: NAME.npy, too, float32 (height, width, classes), in a second pass.",
)
_FOLDERS = {"format_only": _FORMAT_ONLY, "show_dir": _SHOW_DIR, "out": _OUT}
_RESUME = flags.DEFINE_bool(
    "resume",
    None,
    "train: short for --config.resume. The same command goes on with a run by itself; "
    "--noresume refuses a work directory that holds one.",
)
_RESUME_CHANGED = flags.DEFINE_bool(
    "resume_changed",
    False,
    "train: go on with a run although its config was changed in what gives the weights "
    "another meaning (model, classes, preprocessing) or the samples another order.",
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    False,
    "One of several processes that Slurm, a TPU pod, GKE or Open MPI started with the "
    "same command; they find each other.",
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "One of several processes that anything else started: ADDRESS:PORT of process 0, "
    "which listens there. With --num_processes and --process_id.",
)
_NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "With --coordinator: how many processes.", lower_bound=1
)
_PROCESS_ID = flags.DEFINE_integer(
    "process_id",
    None,
    "With --coordinator: which process this one is, from 0.",
    lower_bound=0,
)
_INITIALIZATION_TIMEOUT = flags.DEFINE_integer(
    "initialization_timeout",
    300,
    "Several processes: seconds in which all must have joined.",
    lower_bound=1,
)
_HEARTBEAT_TIMEOUT = flags.DEFINE_integer(
    "heartbeat_timeout",
    60,
    "Several processes: seconds without a sign of life after which one counts as lost, "
    "and the others end.",
    lower_bound=1,
)
_SHUTDOWN_TIMEOUT = flags.DEFINE_integer(
    "shutdown_timeout",
    300,
    "Several processes: seconds that one which is done waits for the others.",
    lower_bound=1,
)

_NEEDS = {
    "train": TRAINING,
    "lr_find": TRAINING,
    "eval": EVALUATION,
    "test": TEST,
    "predict": INFERENCE,
}

# Compiled programs of earlier runs. Versions of JAX keep theirs apart by themselves.
_COMPILATION_CACHE = "~/.cache/jaxseg/compiled"


def main(argv: list[str]) -> None:
    """Reads the flags and does what they say."""
    more_images = argv[1:]
    if more_images and not (_MODE.value == "predict" and _INPUT.value):
        raise flags.Error(
            f"unknown argument {more_images[0]!r}; all are flags, --name=value"
        )
    given = [name for name, flag in _FOLDERS.items() if flag.value is not None]
    if given and _MODE.value not in ("eval", "test"):
        raise flags.Error(
            f"--{given[0]} is for --mode=eval and --mode=test, not {_MODE.value}"
        )
    keep_freed_memory()
    jax.config.update(
        "jax_compilation_cache_dir", os.path.expanduser(_COMPILATION_CACHE)
    )
    _join_hosts()
    if _RESUME.value is not None:
        _overrides.append(("resume", _RESUME.value))
    config = None
    if _CONFIG.value is not None:
        config = load_config(_CONFIG.value, _NEEDS[_MODE.value], _overrides)
    elif _MODE.value in ("train", "lr_find"):
        raise flags.Error("--config is missing: which model and data?")
    elif _overrides:
        raise flags.Error(
            f"--config.{_overrides[0][0]} changes a config, but --config is missing: "
            "give the work directory's config.json"
        )
    if _MODE.value == "predict":
        _predict(config, more_images)
    elif _MODE.value == "train":
        _train(config)
    elif _MODE.value == "lr_find":
        find_learning_rate(config, _workdir(), _lr_range(), _LR_STEPS.value)
    else:
        _evaluate(config, {"eval": "val", "test": "test"}[_MODE.value])


def _workdir() -> Path:
    if _WORKDIR.value is not None:
        return Path(_WORKDIR.value)
    # What is made of a run's checkpoint belongs to that run.
    if _MODE.value != "train" and _CHECKPOINT.value is not None:
        run = run_of(_CHECKPOINT.value)
        if run is not None:
            return run
    if _CONFIG.value is None:
        return Path("work_dirs")
    name, _, argument = _CONFIG.value.partition(":")
    # experiments/mmseg.py:FILE is as many runs as there are files.
    path = Path(argument if argument.endswith(".py") else name)
    # The config.json of a work directory belongs to that directory.
    return path.parent if path.name == "config.json" else Path("work_dirs") / path.stem


def _checkpoint() -> str:
    return _CHECKPOINT.value if _CHECKPOINT.value is not None else str(_workdir())


def _train(config) -> None:
    code = train(config, _workdir(), _RESUME_CHANGED.value)
    if code:
        # A thread may still be compiling, and cannot be stopped.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _lr_range() -> list[float]:
    try:
        return [float(text) for text in _LR_RANGE.value]
    except ValueError:
        raise flags.Error(
            f"--lr_range is {','.join(_LR_RANGE.value)}; it takes two numbers: 1e-6,1"
        ) from None


def _evaluate(config, split: str) -> None:
    folders = {k: Path(flag.value) for k, flag in _FOLDERS.items() if flag.value}
    outputs = Outputs(**folders, out_probabilities=_OUT_PROBABILITIES.value)
    if outputs.out_probabilities and outputs.out is None:
        raise flags.Error("--out_probabilities needs --out, the folder that gets them")
    if outputs.format_only is None:
        evaluate_checkpoint(config, _checkpoint(), _workdir(), split, outputs)
    else:
        predict_split(config, _checkpoint(), split, outputs)


def _predict(config, more_images: list[str]) -> None:
    if _INPUT.value is None:
        raise flags.Error("--input is missing: which images?")
    formats = _OUTPUT_FORMAT.value
    if formats is not None:
        formats = check_formats(formats)
    output = Path(_OUTPUT.value) if _OUTPUT.value else _workdir() / "output"
    # A shell writes the files of a glob that is not quoted one behind the other.
    patterns = (_INPUT.value, *more_images)
    images = sorted({path for name in patterns for path in find_images(name, output)})
    model = load_model(config, _checkpoint())
    mine = len(images[jax.process_index() :: jax.process_count()])
    bad = []
    for done, result in enumerate(predict_files(model, images, output, formats), 1):
        if result.error is None:
            print(f"{done}/{mine}  {result.image} -> {result.file}", flush=True)
        else:
            print(f"{done}/{mine}  {result.image}: left out", flush=True)
            bad.append(result)
    print(model.predictor.count_of_compilations())
    if bad:
        raise NotPredictedError(
            f"{len(bad)} of {mine} images were not predicted:\n"
            + "\n".join(f"  {result.error}" for result in bad)
        )


def _join_hosts() -> None:
    """Makes this process one of several, where the flags say so."""
    by_hand = {
        "coordinator": _COORDINATOR.value,
        "num_processes": _NUM_PROCESSES.value,
        "process_id": _PROCESS_ID.value,
    }
    missing = [f"--{name}" for name, value in by_hand.items() if value is None]
    if len(missing) == 3 and not _DISTRIBUTED.value:
        return
    if 0 < len(missing) < 3:
        raise flags.Error(
            f"{' and '.join(missing)} missing: --coordinator, --num_processes and "
            "--process_id go together"
        )
    if not missing:
        _check_by_hand(**by_hand)
    hosts.initialize(
        **by_hand,
        initialization_timeout=_INITIALIZATION_TIMEOUT.value,
        heartbeat_timeout=_HEARTBEAT_TIMEOUT.value,
        shutdown_timeout=_SHUTDOWN_TIMEOUT.value,
        polls_for_sigterm=_MODE.value == "train",
    )
    sign_messages()


def _check_by_hand(coordinator: str, num_processes: int, process_id: int) -> None:
    address, _, port = coordinator.rpartition(":")
    if not address or not port.isdecimal():
        raise flags.Error(
            f"--coordinator is {coordinator!r}; it takes ADDRESS:PORT of process 0"
        )
    if process_id >= num_processes:
        raise flags.Error(
            f"--process_id is {process_id}, of --num_processes={num_processes} it is "
            f"one from 0 to {num_processes - 1}"
        )


_overrides: list[tuple[str, object]] = []


def parse_flags(argv: list[str]) -> list[str]:
    """Takes --config.PATH=VALUE out of the command line, and parses the rest."""
    overrides, rest = split_overrides(argv)
    _overrides.extend(overrides)
    flags.FLAGS.set_gnu_getopt(True)  # flags may stand behind the files of --input
    return flags.FLAGS(["--help" if word == "-h" else word for word in rest])


@command
def run() -> None:
    """The command line's entry."""
    app.run(main, flags_parser=parse_flags)


if __name__ == "__main__":
    sys.exit(run())
