"""Imports run one way, between rooms as well as between files."""

import ast
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = ("jaxseg", "input_pipeline", "experiments", "scripts")

# A room imports those that stand before it, and none that stands after it. So no room
# imports one that, at any length, imports it. The last five are entries.
ROOMS = (
    "input_pipeline",
    "jaxseg",
    "jaxseg.errors",
    "jaxseg.config",
    "jaxseg.config_object",
    "jaxseg.annotations",
    "jaxseg.registry",
    "jaxseg.visualize",
    "jaxseg.ops",
    "jaxseg.runtime",
    "jaxseg.command_line",
    "jaxseg.checkpoint",
    "jaxseg.weights",
    "jaxseg.layers",
    "jaxseg.losses",
    "jaxseg.backbones",
    "jaxseg.text_encoders",
    "jaxseg.necks",
    "jaxseg.heads",
    "jaxseg.segmentors",
    "jaxseg.hooks",
    "jaxseg.resolve",
    "jaxseg.optim",
    "jaxseg.metrics",
    "jaxseg.settings",
    "jaxseg.mmseg_config",
    "jaxseg.config_source",
    "jaxseg.load_config",
    "jaxseg.inference",
    "jaxseg.evaluation",
    "jaxseg.diagnose",
    "jaxseg.testing",
    "jaxseg.train",
    "jaxseg.apis",
    "jaxseg.doctor",
    "jaxseg.prepare_polygons",
    "jaxseg.prepare",
    "jaxseg.main",
    "experiments",
    "scripts",
)
# What may know of both packages.
ABOVE_BOTH = (
    "jaxseg.text_encoders",
    "jaxseg.resolve",
    "jaxseg.command_line",
    "jaxseg.settings",
    "jaxseg.mmseg_config",
    "jaxseg.config_source",
    "jaxseg.load_config",
    "jaxseg.inference",
    "jaxseg.evaluation",
    "jaxseg.train",
    "jaxseg.diagnose",
    "jaxseg.testing",
    "jaxseg.doctor",
    "jaxseg.apis",
    "jaxseg.prepare_polygons",
    "jaxseg.prepare",
    "jaxseg.main",
    "experiments",
    "scripts",
)


def below(module, prefix):
    return module == prefix or module.startswith(prefix + ".")


def room(module):
    """The room of a module: the longest prefix of its name that ROOMS has."""
    return max((name for name in ROOMS if below(module, name)), key=len)


def read_modules():
    """{module: (path, is it a package)}"""
    modules = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            is_package = parts[-1] == "__init__"
            modules[".".join(parts[:-1] if is_package else parts)] = (path, is_package)
    return modules


MODULES = read_modules()


def read_imports(module):
    """(modules imported as the file loads, all modules imported), ours or others."""
    tree = ast.parse(MODULES[module][0].read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    at_load, anywhere = set(), set()
    for node in ast.walk(tree):
        names = set()
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole in MODULES else node.module)
        anywhere |= names
        if id(node) not in inside:
            at_load |= names
    return at_load, anywhere


IMPORTS = {module: read_imports(module) for module in MODULES}


def is_ours(module):
    return module.split(".")[0] in FOLDERS


def test_every_file_stands_in_a_room():
    assert len(MODULES) > 70
    new = {m for m in MODULES if m.startswith("jaxseg.") and m.count(".") == 1}
    assert new <= set(ROOMS), "say in ROOMS where it stands"


def wrong_imports(is_wrong):
    return [
        f"{module} imports {imported}"
        for module, (_, anywhere) in IMPORTS.items()
        for imported in sorted(anywhere)
        if is_wrong(module, imported)
    ]


def test_imports_point_down():
    def points_up(module, imported):
        if not is_ours(imported):
            return False
        return ROOMS.index(room(imported)) > ROOMS.index(room(module))

    assert wrong_imports(points_up) == []


def test_the_packages_do_not_know_each_other():
    def is_wrong(module, imported):
        other = imported.split(".")[0] != module.split(".")[0]
        above = any(below(module, prefix) for prefix in ABOVE_BOTH)
        return is_ours(imported) and other and not above

    assert wrong_imports(is_wrong) == []


def test_neither_torch_nor_tensorflow():
    def is_wrong(module, imported):
        # The other side of the benchmarks runs in an environment of its own.
        of_torch = module.startswith("scripts.benchmark.torch_side.")
        theirs = ("torch", "tensorflow", "mmseg", "mmcv", "mmengine")
        return not of_torch and imported.split(".")[0] in theirs

    assert wrong_imports(is_wrong) == []


def test_no_circles():
    # A table of contents imports its own files, which do not import the table.
    graph = {
        module: set(filter(is_ours, at_load))
        for module, (at_load, _) in IMPORTS.items()
    }
    done = set()

    def visit(module, trail):
        assert module not in trail, " -> ".join([*trail, module])
        if module not in done:
            for imported in graph.get(module, ()):
                visit(imported, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_no_room_for_what_has_no_name():
    for module in MODULES:
        if module != "experiments.common":
            assert module.split(".")[-1] not in ("utils", "misc", "common", "helpers")


def test_import_of_the_package_is_quick_and_light():
    program = (
        "import sys, time\n"
        "start = time.process_time()\n"
        "import jaxseg\n"
        "print(time.process_time() - start)\n"
        "print([m for m in ('torch', 'tensorflow', 'jax') if m in sys.modules])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    seconds, found = result.stdout.splitlines()
    assert float(seconds) < 2
    assert found == "[]"


def test_importing_everything_brings_neither_torch_nor_tensorflow():
    modules = [m for m in MODULES if m.split(".")[0] in ("jaxseg", "input_pipeline")]
    program = (
        f"import importlib, sys\nfor m in {modules}: importlib.import_module(m)\n"
        "print([m for m in ('torch', 'tensorflow') if m in sys.modules])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert result.stdout == "[]\n"
