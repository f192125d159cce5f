"""Configs that want to do something: each is refused, and nothing happens."""

import contextlib
import os
import pathlib
import random
import runpy

import pytest

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.inherit import MAX_FILES, read_text

CONFIGS = pathlib.Path(__file__).parent / "configs"

CODE = {
    "import": ("import os", "1: an import statement is not read; a config is data"),
    "from_import": ("x = 1\nfrom os import system", "2: an import statement"),
    "dunder_import": ("__import__('os').system('touch x')", r"call __import__\(\)"),
    "import_in_base": ("_base_ = __import__('os').getcwd()", r"call __import__\(\)"),
    "open": ("x = open('/etc/passwd').read()", r"call open\(\)"),
    "open_for_writing": ("open('x', 'w').write('x')", r"call open\(\)"),
    "eval": ("x = eval('1')", r"call eval\(\)"),
    "exec": ("exec('import os')", r"call exec\(\)"),
    "compile": ("compile('1', '', 'eval')", r"call compile\(\)"),
    "os_system": ("os.system('touch x')", "name 'os' is not defined"),
    "breakpoint": ("breakpoint()", r"call breakpoint\(\)"),
    "exit": ("exit()", r"call exit\(\)"),
    "raise": ("raise SystemExit", "statement Raise"),
    "type": ("x = type(1)", r"call type\(\)"),
    "globals": ("x = globals()['__builtins__']", r"call globals\(\)"),
    "builtins": ("x = __builtins__", "name '__builtins__' is not defined"),
    "file": ("x = __file__", "name '__file__' is not defined"),
    "classes": (
        "x = ().__class__.__bases__[0].__subclasses__()",
        "attribute .__class__",
    ),
    "class": ("x = ().__class__", "attribute .__class__ of a tuple"),
    "class_of_base": ("x = _base_.__class__", ".__class__ belongs to Python's dict"),
    "set_class": ("_base_.__class__ = 1", ".__class__ belongs to Python's dict"),
    "class_method": ("x = dict.fromkeys([1])", "the function dict is no data"),
    "method_of_base": ("x = _base_.__init_subclass__()", "method .__init_subclass__"),
    "reduce": ("x = [].__reduce__()", r"method .__reduce__\(\) of a list"),
    "format_map": ("x = 'a'.format_map({})", r"method .format_map\(\)"),
    "translate": ("x = 'a'.translate({97: 'b' * 99})", r"method .translate\(\)"),
    "getattr": ("x = getattr([], 'append')", r"call getattr\(\)"),
    "setattr": ("setattr(dict, 'x', 1)", r"call setattr\(\)"),
    "function_as_value": ("x = [len][0]('a')", r"call \[len\]\[0\]\(\)"),
    "sort_key": ("x = sorted([1], key=print)", "name 'print' is not defined"),
    "lambda": ("x = (lambda: 1)()", r"call lambda: 1\(\)"),
    "lambda_value": ("x = lambda: 1", "expression Lambda is not read"),
    "def": ("def f(x=open('y', 'w')):\n    pass", "a function definition"),
    "decorator": ("@print\ndef f():\n    pass", "a function definition"),
    "class_statement": ("class A(dict):\n    x = 1", "a class definition"),
    "metaclass": ("class A(metaclass=print):\n    pass", "a class definition"),
    "walrus": ("x = (y := 1)", "an assignment `:=` inside an expression"),
    "walrus_in_list": ("x = [(dict := 1) for _ in 'a']", "an assignment `:=`"),
    "walrus_in_text": ("x = f'{(dict := 1)}'", "an assignment `:=`"),
    "text_attribute": ("x = f'{[].__class__}'", "attribute .__class__ of a list"),
    "text_call": ("x = f'{__import__(\"os\")}'", r"call __import__\(\)"),
    "format_attribute": ("x = '{0.__class__}'.format(1)", "looks into a value"),
    "format_item": ("x = '{a[0]}'.format(a=[1])", "looks into a value"),
    "format_auto": ("x = '{.__init__}'.format(1)", "looks into a value"),
    "format_nested": ("x = '{:{}}'.format(1, 9)", "a field inside the format"),
    "format_in_spec": ("x = '{:{0.__class__}}'.format(1)", "a field inside the for"),
    "global": ("global dict", "statement Global"),
    "nonlocal": ("nonlocal x", "statement Nonlocal"),
    "del_builtin": ("del dict", "`del dict`: it is not defined"),
    "del_base": ("del _base_", "`del _base_`: it is not defined"),
    "del_call": ("del dict()", "no valid Python"),
    "async": ("async def f():\n    await g()", "a function definition"),
    "await": ("await x", "expression Await is not read"),
    "async_list": ("x = [y async for y in z]", "asynchronous comprehension"),
    "yield": ("x = yield 1", "expression Yield is not read"),
    "match": ("match x:\n    case dict(): pass", "statement Match"),
    "match_class": ("match 1:\n    case object(__class__=y): pass", "statement Match"),
    "try": ("try:\n    import os\nexcept: pass", "statement Try"),
    "with": ("with open('x', 'w') as f:\n    f.write('x')", "a `with` statement"),
    "with_base_and_more": ("with read_base(), open('x', 'w'):\n    pass", "a `with`"),
    "with_argument": ("with read_base(open('x')):\n    pass", "a `with` statement"),
    "with_code": ("with read_base():\n    print(1)", "only `from x import y` is read"),
    "with_import": ("with read_base():\n    import os", "only `from x import y`"),
    "with_no_file": (
        "with read_base():\n    from a import b",
        "the config a is not th",
    ),
    "with_relative": ("with read_base():\n    from .b import *", "there is no such fi"),
    "with_this_file": (
        "with read_base():\n    from .a import *",
        "is a base of itself",
    ),
    "with_package": (
        "with read_base():\n    from os import *",
        "the config os is not ther",
    ),
    "imported_call": ("from mmseg.models import X\nx = X()", r"the call X\(\)"),
    "imported_method": (
        "import torch\nx = torch.load('a')",
        r"method .load\(\) of a s",
    ),
    "imported_item": ("import torch\ntorch.x = 1", "attribute .x of a str"),
    "import_of_all": ("from mmseg.models import *", "an import statement is not read"),
    "import_dotted": ("import os.path", "an import statement is not read"),
    "assert": ("assert print()", "statement Assert"),
    "star_alone": ("*x = 1, 2", "`\\*x` cannot be set"),
    "annotation": ("x: print('y') = open('z', 'w')", r"call open\(\)"),
    "star_import": ("from os import *", "an import statement"),
    "future": ("from __future__ import annotations", "an import statement"),
    "print": ("print(1)", r"call print\(\)"),
    "input": ("x = input()", r"call input\(\)"),
    "hostile_item": ("[][print()] = 1", r"call print\(\)"),
    "set_attribute_of_text": ("'a'.x = 1", "attribute .x of a str"),
    "magic_comment": ("# coding: rot13\nvzcbeg bf", "no valid Python"),
}
FILES = {
    "null_bytes": (b"x = 1\0\nimport os", "null bytes"),
    "not_utf8": (b"x = 1\ny = '\xff'", "2: no UTF-8"),
    "utf16": ("x = 1".encode("utf-16"), "no UTF-8"),
    "binary": (bytes(range(256)), "a.py"),
    "smuggled_end": ("x = '{{ _base_.a }}'); import os; ('", "no valid Python"),
    "smuggled_code": ("x = {{ __import__('os') }}", r"call __import__\(\)"),
    "smuggled_class": ("x = {{ _base_.__class__ }}", "bases have no '__class__'"),
    "smuggled_method": ("x = {{ _base_.pop }}", "the bases have no 'pop'"),
    "smuggled_target": ("{{ _base_.a }} = 1", "a placeholder {{...}} cannot be set"),
    "smuggled_name": ("x = dict({{ _base_.a }}=1)", "no name of an argument"),
    "smuggled_import": ("import {{ _base_.a }}", "an import statement"),
    "environment": ("x = {{$HOME_OF_NOBODY:open('x', 'w')}}", "no valid Python"),
    "environment_code": ("x = {{$HOME_OF_NOBODY:open('x')}}", "no Python data"),
    "environment_long": ("x = '{{$A:" + "9" * 301 + "}}'\nx()", "call x"),
    "environment_many": ("x = '" + "{{$a:" * 50_000 + "'\nx()", "call x"),
    "environment_deep": ("x = {{$HOME_OF_NOBODY:" + "(" * 250 + "}}", "no Python data"),
    "base_number": ("_base_ = 5", "`_base_`: holds a int"),
    "base_none": ("_base_ = [None]", "`_base_`: holds a NoneType"),
    "base_dict": ("_base_ = dict(a='b.py')", "`_base_`: holds a dict"),
    "base_tuple": ("_base_ = ('b.py', 'c.py')", "`_base_`: holds a tuple"),
    "base_bytes": ("_base_ = b'b.py'", "b'b.py' is no data"),
    "base_absolute": ("_base_ = '/etc/passwd.py'", "1: .*/etc/passwd.py: there is no"),
    "base_home": ("_base_ = '~/b.py'", "`~` stands for no folder"),
    "base_url": ("\n_base_ = 'https://x.org/b.py'", "2: .*is a URL"),
    "base_file_url": ("_base_ = 'file:///etc/b.py'", "is a URL"),
    "base_package": ("_base_ = 'mmcls::resnet/r50.py'", "is of another package"),
    "base_computed": (
        "_base_ = '.'.join(['/etc/passwd', 'py'])",
        "passwd.py: there is",
    ),
    "base_up": ("_base_ = '../../../../../../b.py'", "b.py: there is no such file"),
    "base_up_and_down": (
        "_base_ = 'a/../" + "../" * 40 + "etc/x.py'",
        "there is no suc",
    ),
    "base_other_kind": ("_base_ = 'b.txt'", "b.txt: allowed: a .py or .json file"),
    "base_no_kind": ("_base_ = '../../etc/passwd'", "allowed: a .py or .json file"),
    "base_yaml": ("_base_ = 'b.yaml'", "b.yaml: allowed: a .py or .json file"),
    "base_empty": ("_base_ = ''", "allowed: a .py or .json file"),
    "base_null": ("_base_ = 'a\\0.py'", "null"),
    "base_surrogate": ("_base_ = '\\ud800.py'", "cannot be read|surrogates"),
    "base_long": ("_base_ = 'a' * 9999 + '.py'", "a path of 10002 characters"),
    "base_itself": ("_base_ = './a.py'", "is a base of itself"),
    "base_glob": ("_base_ = '*.py'", "there is no such file"),
    "base_in_if": ("if 1:\n    _base_ = 'b.py'", "`_base_` is set once"),
    "base_in_loop": ("for _base_ in 'ab':\n    pass", "`_base_` is set once"),
    "base_unpacked": ("_base_, x = 'b.py', 1", "`_base_` is set once"),
    "base_appended": ("_base_ += ['b.py']", "a dict of `_base_` is no operand"),
}


@pytest.mark.parametrize("name", CODE)
def test_code_is_refused(refused, name):
    refused(*CODE[name])


@pytest.mark.parametrize("name", FILES)
def test_files_are_refused(refused, name):
    refused(*FILES[name])


def test_cycle_of_bases(refused, tmp_path):
    (tmp_path / "b.py").write_text("_base_ = 'sub/../a.py'")
    refused("_base_ = 'b.py'", "a.py: is a base of itself")


def test_many_files(refused, tmp_path):
    for i in range(10):
        (tmp_path / f"{i}.py").write_text(f"_base_ = ['{i + 1}.py'] * 9")
    (tmp_path / "10.py").write_text("")
    refused("_base_ = '0.py'", f"more than {MAX_FILES} files|more than 10 bases")


def test_base_that_is_a_folder(refused, tmp_path):
    (tmp_path / "b.py").mkdir()
    refused("_base_ = 'b.py'", "b.py: is no regular file")


def test_base_that_is_a_pipe(refused, tmp_path):
    os.mkfifo(tmp_path / "b.py")
    refused("_base_ = 'b.py'", "b.py: is no regular file")


def test_base_that_is_a_loop_of_links(refused, tmp_path):
    (tmp_path / "b.py").symlink_to(tmp_path / "c.py")
    (tmp_path / "c.py").symlink_to(tmp_path / "b.py")
    refused("_base_ = 'b.py'", "b.py: cannot be read")


@pytest.mark.parametrize("link", ["b.py", "_base_"])
def test_link_out_of_the_configs(refused, tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("key = 'secret'")
    (tmp_path / "configs").mkdir()
    target = outside / "secret.py" if link == "b.py" else outside
    (tmp_path / "configs" / link).symlink_to(target)
    base = link if link == "b.py" else "_base_/secret.py"
    refused(f"_base_ = '{base}'", "is a link to .*secret.py", name="configs/a.py")


@pytest.mark.parametrize(
    "text, match",
    [
        ("[1]", "holds a list, not a dict"),
        ("{'a': 1}", "no valid JSON"),
        ('{"a": ' * 5000 + "1" + "}" * 5000, "no valid JSON"),
        ('{"a": ' * 99 + "1" + "}" * 99, "more than 60 lists and dicts"),
        ('{"a": ' + "9" * 5000 + "}", "no valid JSON"),
        ('{"_base_": {"a": 1}}', "`_base_`: holds a dict"),
        ('{"_base_": "/etc/a.json"}', "there is no such file"),
        ('{"a": "{{ fileDirname }}"}', "in .py files only"),
        ('{"_deprecation_": 1}', "_deprecation_ is no dict"),
        ('{"filename": 1}', "'filename' is reserved"),
    ],
)
def test_hostile_json(refused, text, match):
    refused(text, match, name="a.json")


@pytest.mark.parametrize("name", ["a.yaml", "a.txt", "a", "a.PY", "a.pyc", ".py"])
def test_other_kinds_of_file(refused, name):
    refused("x = 1", "allowed: a .py or .json file", name=name)


def write_file(path):
    path.write_text("x")


@pytest.mark.parametrize(
    "event, act",
    [
        ("compile", lambda path: compile("1", "x", "eval")),
        ("exec", lambda path: runpy.run_path(str(CONFIGS / "names.py"))),
        ("open", write_file),
        ("os.system", lambda path: os.system("true")),
        ("import", lambda path: __import__("this_is_no_module")),
    ],
)
def test_the_watch_sees(watch, tmp_path, event, act):
    with contextlib.suppress(AssertionError, ImportError), watch.nothing_happens():
        act(tmp_path / "x")
    assert event in [seen for seen, _ in watch.seen]


SEED_TEXT = """
_base_ = []
crop_size = (64, 96)
norm_cfg = dict(type="SyncBN", requires_grad=True)
depths = [2, 2, 6, 2]
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], size=crop_size, pad_val=0)
model = dict(
    type="EncoderDecoder",
    backbone=dict(type="ResNetV1c", depth=50, strides=(1, 2, 1, 1), norm_cfg=norm_cfg),
    decode_head=dict(num_classes=19, channels=sum([18, 36]) // 2, dropout=-0.1),
    auxiliary_head=[dict(type="FCNHead", in_index=i) for i in range(3) if i != 1],
)
custom_keys = {f"stages.{i}.{j}": 0.1 for i, n in enumerate(depths) for j in range(n)}
custom_keys.update({"{}.{name}".format(1, name="norm"): dict(lr_mult=1e-3 * 2)})
lr = 0.01 if len(depths) > 3 else 10**-2
work_dir = "%s/%03d" % ("work", 7)
for item in model["auxiliary_head"]:
    item["channels"] = [1, 2][-1:] * 2
schedule = {**norm_cfg, "epochs": 160000 // 8}
"""
PIECES = (
    *"()[]{}.,:=*+-%/<'\"#@~\\\n ",
    *("**", "<<", "999999999", "__class__", "__import__", "_base_", "{{_base_.a}}"),
    *("import os\n", "lambda: ", "for i in range(9**9)", "'a' * 9**9", "f'{model}'"),
    *(".format", "(model)", "eval", "open('x', 'w')", "{0.__class__}", "\0", "é", ":="),
)


def mutate(text, rng):
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text))
        stop = start + rng.choice((0, 0, 1, 3, 20))
        other = rng.randrange(len(text))
        piece = rng.choice((rng.choice(PIECES), text[other : other + 15], ""))
        text = text[:start] + piece + text[stop:]
    return text


def test_mutated_configs_are_read_or_refused(watch):
    assert len(read_text(SEED_TEXT, "seed")["custom_keys"]) == 13
    rng = random.Random(0)
    accepted = 0
    for i in range(1500):
        text = mutate(SEED_TEXT, rng)
        with watch.nothing_happens(), contextlib.suppress(ConfigError):
            assert isinstance(read_text(text, f"mutation {i}"), dict)
            accepted += 1
    # Neither all of them nor none: the mutations reach beyond the parser.
    assert 50 < accepted < 1450
