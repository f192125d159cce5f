"""What can be learnt of jaxseg in some minutes on a machine with one GPU.

    python scripts/benchmark/gpu_hour.py --out results --wheels WHEELS \\
        --camvid data/camvid --minutes 9

One part after the other, each in a process of its own with a share of the minutes: one
that takes longer is cut at its next safe point, or killed, and its row says so. What it
leaves, the others may use. `results/results.jsonl` gets every row as it comes;
`perfetto_trace.json.gz` (for ui.perfetto.dev) and `kernels.txt` stand beside it, and
`log.txt` holds what the parts printed.

Models are measured in turns with mmsegmentation's, bfloat16 on a GPU: eager with
autocast, with channels_last, and with torch.compile; best of rounds. WHEELS holds what
the machine lacks of mmsegmentation and of jaxseg's own needs, as wheels. Where torch or
mmsegmentation is missing, ours is measured alone, and a row says why. It has run on
CPUs; on a GPU it has not run yet.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time
import zipfile

_ROOT = pathlib.Path(__file__).parents[2]
# The measuring programs stand in this folder, not in an installed package. Nothing of
# jaxseg is imported here: what it needs may be in the wheels.
sys.path.insert(0, str(_ROOT))

from scripts.benchmark.measuring.command_line import some_of
from scripts.benchmark.measuring.hour.budget import run_parts
from scripts.benchmark.measuring.hour.wheels import unpack_wheels

# Seconds of nine minutes, the most telling first.
_SHARES = {
    "pspnet_r50": 120,
    "profile": 40,
    "camvid": 50,
    "deeplabv3plus_r50": 95,
    "upernet_r50": 95,
    "vit_b_upernet": 90,
    "flags": 50,
}


def main(arguments: list[str]) -> int:
    """Runs the parts; 0 if each ended by itself, 1 if one was cut, killed or failed."""
    options = _parser().parse_args(arguments)
    start = time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    statuses = []
    with (
        open(results, "w") as file,
        tempfile.TemporaryDirectory(prefix="jaxseg_hour_") as name,
    ):
        folder = pathlib.Path(name)

        def write(row):
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"[{time.monotonic() - start:5.0f} s] {_line(row)}", flush=True)
            if row["row"] == "end":
                statuses.append(row["status"])

        def command(part, seconds):
            job = {
                "part": part,
                "seconds": seconds,
                "out": str(options.out.resolve()),
                "tiny": options.tiny,
                "torch_python": options.torch_python,
                "camvid": str(options.camvid.resolve()),
            }
            module = "scripts.benchmark.measuring.hour.part"
            return [sys.executable, "-m", module, json.dumps(job)]

        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        if options.wheels is not None:
            site = folder / "site"
            try:
                wheels = unpack_wheels(options.wheels, site)
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                sys.exit(f"error: --wheels: {error}")
            paths.insert(1, str(site))
            size = sum(wheels.values())
            write({"part": "all", "row": "wheels", "bytes": size, "files": wheels})
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            # Of a GPU, jax would take three quarters for itself.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        left = 60 * options.minutes - (time.monotonic() - start)
        shares = {part: _SHARES[part] for part in options.parts}
        log = options.out / "log.txt"
        log.write_bytes(b"")
        run_parts(shares, left, command, write, log, cwd=_ROOT, env=environment)
    print(f"all rows: {results}")
    return int(set(statuses) != {"done"})


def _line(row):
    """A row in one line of a terminal."""
    values = {k: v for k, v in row.items() if k not in ("part", "row")}
    if "best_seconds" in values:
        times = {n: f"{1000 * s:.1f} ms" for n, s in row["best_seconds"].items()}
        values = {"best": times} | {
            k: values[k]
            for k in ("torch_over_ours", "mfu", "peak_memory", "cut")
            if k in values
        }
    text = ", ".join(f"{k}: {_rounded(v)}" for k, v in values.items())
    return f"{row['part']} {row['row']}: {text:.400}"


def _rounded(value):
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_rounded(v)}" for k, v in value.items()) + "}"
    return value


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--out", type=pathlib.Path, required=True, help="folder of the results"
    )
    parser.add_argument(
        "--minutes", type=float, default=9.0, help="for all parts, default 9"
    )
    parser.add_argument(
        "--parts",
        type=some_of(_SHARES),
        default=tuple(_SHARES),
        metavar="PART,PART",
        help=f"some of {', '.join(_SHARES)}; default all",
    )
    parser.add_argument(
        "--wheels", type=pathlib.Path, help="folder of wheels that are missing here"
    )
    parser.add_argument(
        "--torch-python",
        default=sys.executable,
        metavar="PYTHON",
        help="python of an environment with torch; default this one",
    )
    parser.add_argument(
        "--camvid",
        type=pathlib.Path,
        default=pathlib.Path("data/camvid"),
        help="folder of CamVid, default data/camvid",
    )
    parser.add_argument(
        "--tiny", action="store_true", help="small models and images, to try the parts"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
