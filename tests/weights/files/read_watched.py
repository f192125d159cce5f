"""Reads forged files under an audit hook and a limit: `python read_watched.py FOLDER`.

Prints a line of JSON a file: [group, name, outcome, message, events, seconds]. The
outcome is 'read', 'refused', or the name of an exception that should not have been;
events are what code would do: imports, processes, sockets, files opened to write.
"""

import json
import pathlib
import random
import resource
import sys
import time

import forged

from jaxseg.weights.files.mapped_file import CheckpointFileError
from jaxseg.weights.files.weights_file import read_weights

MEMORY = 2 << 30
MUTATIONS = 200
# `compile` is not among them: NumPy parses headers of npy files as literals.
FORBIDDEN = (
    "code.",
    "ctypes.",
    "exec",
    "import",
    "marshal.",
    "os.",
    "pickle.",
    "shutil.",
    "socket.",
    "subprocess.",
    "tempfile.",
    "urllib.",
    "webbrowser.",
)

watching = False
events = []


def hook(event, args):
    if not watching:
        return
    if event == "open":
        path, mode, flags = args
        if set(mode or "") & set("wax+") or (flags or 0) & 3:
            events.append(f"open {path} {mode}")
    elif event.startswith(FORBIDDEN):
        events.append(f"{event} {args}"[:200])


def read(path):
    """Reads one file and looks at every array of it."""
    global watching
    events.clear()
    start, watching = time.perf_counter(), True
    try:
        for array in read_weights(path).state_dict.values():
            array.tobytes()
        outcome, message = "read", ""
    except CheckpointFileError as error:
        outcome, message = "refused", str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        outcome, message = type(error).__name__, str(error)
    watching = False
    return outcome, message, list(events), time.perf_counter() - start


def forms(data):
    return {"raw": data, "zip": forged.pth_of(data), "legacy": forged.legacy_of(data)}


def mutations(name, data):
    """A valid file with one to eight bytes changed, many times over."""
    rng = random.Random(name)
    for number in range(MUTATIONS):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        yield f"{name} {number}", changed


def groups(marker):
    yield "valid", forged.valid().items()
    for name, data in forged.payloads(marker).items():
        yield "payload", ((f"{name}, {form}", d) for form, d in forms(data).items())
    yield "damaged", forged.damaged().items()
    yield "bomb", forged.bombs().items()
    for name, data in forged.valid().items():
        yield "mutation", mutations(name, data)


def main():
    folder = pathlib.Path(sys.argv[1])
    path = folder / "x.pth"
    # What is imported at the first use, is imported before the hook is there.
    for data in forged.valid().values():
        path.write_bytes(data)
        read(path)
    sys.addaudithook(hook)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for group, files in groups(folder / "marker"):
        for name, data in files:
            # A new file: the arrays of the last one may still be mapped.
            path.unlink()
            path.write_bytes(data)
            print(json.dumps([group, name, *read(path)]), flush=True)


if __name__ == "__main__":
    main()
