"""No file that is read is run: nothing in the tree loads code from data.

The one exception is the user's own experiment file, which is a program
(`jaxseg/config.py`, docs/config.md).
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = ("jaxseg", "input_pipeline", "experiments", "scripts", "tests")

# Names that run what they are given, or unpickle it; a mention is enough.
FORBIDDEN = {
    "builtins.__import__",
    "builtins.compile",
    "builtins.eval",
    "builtins.exec",
    "cloudpickle.load",
    "cloudpickle.loads",
    "dill.load",
    "dill.loads",
    "joblib.load",
    "marshal.load",
    "marshal.loads",
    "numpy.lib.format.read_array",
    "os.popen",
    "os.system",
    "pandas.read_pickle",
    "pickle.Unpickler",
    "pickle._Unpickler",
    "pickle.load",
    "pickle.loads",
    "runpy.run_module",
    "runpy.run_path",
    "shelve.open",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "yaml.full_load",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
}
# Of whatever object: a module's loader, an archive that says where its files go.
FORBIDDEN_METHODS = {"exec_module", "extractall", "load_module"}
BUILTINS = {"__import__", "compile", "eval", "exec"}

EXEMPT = {
    # `_run`: --config experiments/x.py, the user's own program.
    "jaxseg/config.py": {"exec_module"},
    # `--wheels`: packages that the user brings to be imported.
    "scripts/benchmark/measuring/hour/wheels.py": {"extractall"},
    # Hides a package from what is tested.
    "tests/input_pipeline/datasets/test_digits.py": {"builtins.__import__"},
    # Makes files that attack, and reads none.
    "tests/weights/files/forged.py": {
        "builtins.__import__",
        "builtins.eval",
        "builtins.exec",
        "os.system",
    },
    # Names `exec` in a pickle that is shown to do harm, elsewhere.
    "tests/weights/files/test_pth_hostile.py": {"builtins.exec"},
    # Shows that the watch over the other files sees all of this.
    "tests/mmseg_config/reader/test_hostile_configs.py": {
        "builtins.__import__",
        "builtins.compile",
        "os.system",
        "runpy.run_path",
    },
    # Runs mmseg 0.30's own transforms, whose examples it stores.
    "tests/input_pipeline/transforms/make_mmseg_examples.py": {"exec_module"},
    # Reads back what mmengine saved a line before.
    "tests/weights/files/make_files.py": {"torch.load"},
}

FILES = sorted(
    str(path.relative_to(ROOT))
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
)


def imported_names(tree):
    """{name in the file: what it is in full}"""
    names = {name: f"builtins.{name}" for name in BUILTINS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def full_name(node, names):
    """'numpy.load' of `np.load`; None of anything but a name with dots."""
    attributes = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([names.get(node.id, node.id), *reversed(attributes)])


def keyword(call, name):
    """The literal given for an argument, or None."""
    given = [k.value for k in call.keywords if k.arg == name]
    return given[0].value if given and isinstance(given[0], ast.Constant) else None


def mentions(source):
    """What a file has that runs code from data: (line, name)."""
    tree = ast.parse(source)
    names = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = full_name(node, names)
            if name in FORBIDDEN:
                yield node.lineno, name
            if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_METHODS:
                yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if f"{node.module}.{alias.name}" in FORBIDDEN:
                    yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Call):
            name = full_name(node.func, names)
            if name == "torch.load" and keyword(node, "weights_only") is not True:
                yield node.lineno, name
            given = {k.arg for k in node.keywords}
            if name == "numpy.save":
                given.discard("allow_pickle")
            for argument in {"shell", "allow_pickle"} & given:
                if keyword(node, argument) is not False:
                    yield node.lineno, argument


def test_nothing_runs_what_a_file_holds():
    found = {name: list(mentions((ROOT / name).read_text())) for name in FILES}
    assert [
        f"{name}:{line}: {what}"
        for name, hits in found.items()
        for line, what in hits
        if what not in EXEMPT.get(name, ())
    ] == []
    for name, allowed in EXEMPT.items():
        needed = {what for _, what in found[name]}
        assert allowed <= needed, f"{name} has an exemption that is not needed"


def test_the_files_are_there():
    assert len(FILES) > 150 and EXEMPT.keys() <= set(FILES)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.load(file)",
        "import pickle as p\nread = p.loads",
        "from pickle import loads",
        "from pickle import Unpickler as Reader",
        "eval(text)",
        "run = exec",
        "compile(text, name, 'exec')",
        "import builtins\nbuiltins.eval(text)",
        "import os\nos.system(command)",
        "import subprocess\nsubprocess.run(command, shell=True)",
        "import subprocess\nsubprocess.run(command, shell=flag)",
        "import yaml\nyaml.load(file)",
        "import numpy as np\nnp.load(file, allow_pickle=True)",
        "import torch\ntorch.load(file)",
        "import torch\ntorch.load(file, weights_only=False)",
        "archive.extractall(folder)",
        "spec.loader.exec_module(module)",
    ],
)
def test_the_rule_finds(source):
    assert list(mentions(source))


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile(text)",
        "model.eval()",
        "import json\njson.load(file)",
        "import yaml\nyaml.safe_load(file)",
        "import numpy as np\nnp.load(file, allow_pickle=False)",
        "import torch\ntorch.load(file, weights_only=True)",
        "import pickle\npickle.dumps(value)",
        "import numpy as np\nnp.save(file, array, allow_pickle=True)",
    ],
)
def test_the_rule_leaves(source):
    assert not list(mentions(source))
