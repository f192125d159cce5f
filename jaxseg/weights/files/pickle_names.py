"""Pickle names: what a pickle of weights names, and what each name makes.

Behind a name stands one of our own functions, a plain dict, or an `Inert` that keeps
what it is given. No class is looked up, no module imported. Names that only a program
has a use for are refused, so that an attack is seen.
"""

import math
import re
from typing import Any

import numpy as np

from jaxseg.weights.files.mapped_file import CheckpointFileError, shown
from jaxseg.weights.files.torch_storage import DTYPES, STORAGES, Storage

# A ViT-L with its optimizer takes 200 000. A step makes an object of at most 100 bytes
# or so.
MAX_STEPS = 4_000_000
# Keys that are no texts: the state of an optimizer has one a parameter. Python's hash
# of numbers is public, so that a file can choose ones that collide, and n of them take
# n * n steps; its hash of texts is drawn anew for every process.
_MAX_NUMBERS = 10_000
# Those below have a hash of their own.
_MAX_INTEGER = (1 << 61) - 1

# Classes that are dicts for our purposes.
_DICTS = frozenset(
    {
        "addict.addict.Dict",
        "builtins.dict",
        "collections.Counter",
        "collections.OrderedDict",
        "collections.defaultdict",
        "easydict.EasyDict",
        "mmcv.utils.config.ConfigDict",
        "mmengine.config.config.ConfigDict",
        "yacs.config.CfgNode",
    }
)

# What checkpoints of mmcv, mmengine and timm hold besides weights, and nobody needs: not
# worth a line in the log. `getattr` is among them: HistoryBuffer names its own methods
# by it.
_QUIET = frozenset(
    {
        "builtins.bool",
        "builtins.bytearray",
        "builtins.complex",
        "builtins.float",
        "builtins.getattr",
        "builtins.int",
        "builtins.list",
        "builtins.object",
        "builtins.range",
        "builtins.slice",
        "builtins.str",
        "builtins.tuple",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "mmcv.utils.config.Config",
        "mmengine.config.config.Config",
        "mmengine.logging.history_buffer.HistoryBuffer",
        "numpy.ndarray",
        "torch.Tensor",
        "torch.channels_last",
        "torch.contiguous_format",
        "torch.device",
        "torch.nn.parameter.Buffer",
        "torch.preserve_format",
        "torch.serialization._get_layout",
        "torch.strided",
    }
)

_REASONS = {
    "torch._utils._rebuild_qtensor": "a quantised tensor",
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_nested_tensor": "a nested tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without values",
    "torch._utils._rebuild_wrapper_subclass": "a tensor of a class of its own",
}


# What no checkpoint has an object of, and what does harm: modules, and functions.
_PROGRAMS = frozenset(
    {
        "_codecs",
        "_pickle",
        "builtins.__import__",
        "builtins.breakpoint",
        "builtins.compile",
        "builtins.eval",
        "builtins.exec",
        "builtins.execfile",
        "builtins.input",
        "builtins.open",
        "code",
        "ctypes",
        "importlib",
        "marshal",
        "nt",
        "os",
        "pickle",
        "posix",
        "pty",
        "runpy",
        "shutil",
        "socket",
        "subprocess",
        "sys",
        "webbrowser",
    }
)


class Name:
    """A class or function that a pickle names, which is never looked up."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"Name({self.name})"


class Inert:
    """Stands for an object that is not rebuilt.

    Attributes:
        name: the name of what would have made it, 'argparse.Namespace'.
        args: what that would have been called with.
        state: what its attributes would have been set from.
        items: what would have been put into it, where it is a list, set or dict.
    """

    __slots__ = ("args", "items", "name", "state")

    def __init__(self, name: str, args: tuple):
        self.name, self.args, self.state, self.items = name, args, None, None

    def __repr__(self) -> str:
        return f"Inert({self.name})"


def resolve(name: str) -> Name | np.dtype:
    """What stands for `module.name`; torch's storages and dtypes are NumPy's dtypes.

    Raises:
        CheckpointFileError: if it is one of those that are refused.
    """
    # Protocol 2 keeps Python 2's names; NumPy 2 renamed its core.
    name = re.sub(r"^__builtin__\.", "builtins.", name)
    name = re.sub(r"^numpy\.core\.", "numpy._core.", name)
    module, _, last = name.rpartition(".")
    if module in ("torch", "torch.storage") and last in STORAGES:
        return DTYPES[STORAGES[last]]
    if module == "torch" and last in DTYPES:
        return DTYPES[last]
    is_program = name in _PROGRAMS or name.partition(".")[0] in _PROGRAMS
    if name in _REASONS or (is_program and not is_known(name)):
        raise CheckpointFileError(refusal(name))
    return Name(name)


def is_known(name: str) -> bool:
    """Whether a name is one of those that checkpoints usually have."""
    return name in _CALLS or name in _DICTS or name in _QUIET


def refusal(name: str) -> str:
    """Why a file is refused that has a name in the place of weights."""
    reason = f" ({_REASONS[name]})" if name in _REASONS else ""
    return (
        f"the pickle asks for {shown(name)[1:-1]}{reason}, which is not on the list of "
        "what a file of weights may hold. Nothing of it was run; if you trust the "
        "file, load it in PyTorch and save its state_dict alone"
    )


def text(value: Any) -> str:
    """A value that must be a string."""
    if type(value) is not str:
        raise CheckpointFileError(f"the pickle has {shown(value)} for a text")
    return value


class Factory:
    """Makes what a pickle calls for, within the limits of one pickle.

    Args:
        size: the size of the pickle in bytes. Arrays copy parts of it, no more in all
            than this: the same bytes could be named a million times.
    """

    def __init__(self, size: int):
        self._steps, self._bytes, self._numbers = MAX_STEPS, size, _MAX_NUMBERS
        self._encoded = {}

    def spend(self, steps: int) -> None:
        """Counts objects made."""
        self._steps -= steps
        if self._steps < 0:
            raise CheckpointFileError(f"the pickle takes over {MAX_STEPS} steps")

    def key(self, value: Any) -> Any:
        """A key of a dict or an item of a set: a text, or a plain value.

        Of tuples short ones alone: the hash of a deep one overflows the stack of the
        process, that of a long one takes its time every time.
        """
        if type(value) in (str, bytes):
            return value
        flat = value if type(value) is tuple else (value,)
        for v in flat[:9]:
            is_plain = type(v) in (str, int, float, bool, bytes, type(None))
            if not is_plain or (type(v) is int and abs(v) >= _MAX_INTEGER):
                raise CheckpointFileError(f"the pickle has {shown(value)} for a key")
        if len(flat) > 8:
            raise CheckpointFileError(f"the pickle has {shown(value)} for a key")
        self._numbers -= 1
        if self._numbers < 0:
            raise CheckpointFileError(
                f"the pickle has over {_MAX_NUMBERS} keys that are no texts"
            )
        return value

    def call(self, function: Any, args: Any) -> Any:
        """The value of `function(*args)`, opcodes REDUCE and NEWOBJ."""
        if type(function) is not Name or type(args) is not tuple:
            raise CheckpointFileError(
                f"the pickle calls {shown(function)}, which is no function"
            )
        if function.name in _CALLS:
            return _CALLS[function.name](self, *args)
        if function.name in _DICTS:
            return self._dict(args)
        return Inert(function.name, args)

    def set_state(self, value: Any, state: Any) -> Any:
        """Sets the attributes of a value, opcode BUILD; most have none here.

        Returns:
            The value; an Inert in the place of an array of anything but numbers.
        """
        if type(value) is np.ndarray:
            # Those of tensors, which are read-only, do not matter.
            if value.flags.writeable:
                return self._fill(value, *state)
        elif type(value) is Inert:
            value.state = state
        elif isinstance(value, np.dtype):
            if type(state) is not tuple or state[1] not in ("<", "|", "="):
                raise CheckpointFileError("the pickle holds big-endian arrays")
        elif type(value) is not dict:
            raise CheckpointFileError(
                f"the pickle sets the attributes of {shown(value)}"
            )
        return value

    def _fill(self, array, _, shape, dtype, fortran, data):
        # NumPy makes an empty array first and gives it its shape and values then.
        if type(dtype) is Inert:
            return Inert("numpy.ndarray", (shape, dtype, data))
        if (
            not isinstance(dtype, np.dtype)
            or dtype.kind not in "biufc"
            or type(data) is not bytes
            or array.size
            or len(shape) > 32
            or not all(type(n) is int and n >= 0 for n in shape)
            or math.prod(shape) * dtype.itemsize != len(data)
        ):
            raise CheckpointFileError("the pickle holds an array that is damaged")
        self._bytes -= len(data)
        if self._bytes < 0:
            raise CheckpointFileError("the arrays in the pickle are larger than it is")
        array.__setstate__((1, shape, dtype, bool(fortran), data))
        return array

    def _dict(self, args):
        # OrderedDict(), ConfigDict(dict), defaultdict(list); Python 2 wrote
        # OrderedDict([[key, value], ...]).
        items = args[0] if args else ()
        if type(items) is dict:
            items = list(items.items())
        if type(items) is not list:
            return {}
        self.spend(len(items))
        return {self.key(name): value for name, value in items}

    def _set(self, items=()):
        self.spend(len(items))
        return set(map(self.key, items))

    def _encode(self, data, encoding):
        # How protocol 2 writes bytes. Each text is encoded once, however often named.
        if text(encoding) != "latin1":
            raise CheckpointFileError(
                f"the pickle encodes a text as {shown(encoding)}; allowed is 'latin1'"
            )
        if text(data) not in self._encoded:
            self._encoded[data] = data.encode("latin1")
        return self._encoded[data]

    def _tensor(self, storage, offset, size, stride, *rest, dtype=None):
        if type(storage) is not Storage or type(size) is not tuple:
            raise CheckpointFileError("the pickle holds a tensor without a storage")
        # The last argument may say that values are to be conjugated or negated.
        if rest and type(rest[-1]) is dict and (rest[-1].keys() & {"conj", "neg"}):
            raise CheckpointFileError("the pickle holds a tensor yet to be conjugated")
        return storage.view(offset, size, stride, dtype)

    def _typed_tensor(self, storage, offset, size, stride, grad, hooks, dtype, *rest):
        if not isinstance(dtype, np.dtype):
            raise CheckpointFileError("the pickle holds a tensor without a dtype")
        return self._tensor(storage, offset, size, stride, dtype=dtype)

    def _parameter(self, data, *_):
        if type(data) is not np.ndarray:
            raise CheckpointFileError("the pickle holds a Parameter without a tensor")
        return data

    def _subclass_of_tensor(self, function, kind, args, state):
        name = getattr(function, "name", None)
        if name not in _CALLS or not name.startswith("torch._utils."):
            raise CheckpointFileError("the pickle holds a tensor of an unknown class")
        return self.call(function, args)

    def _numpy_dtype(self, code, *_):
        if not re.fullmatch(r"[biufc](1|2|4|8|16)", text(code)):
            return Inert("numpy.dtype", (code,))  # texts, dates, objects
        return np.dtype(code).newbyteorder("<")

    def _numpy_scalar(self, dtype, data):
        if type(dtype) is Inert:
            return Inert("numpy._core.multiarray.scalar", (dtype, data))
        if (
            not isinstance(dtype, np.dtype)
            or type(data) is not bytes
            or len(data) != dtype.itemsize
        ):
            raise CheckpointFileError("the pickle holds a number that is damaged")
        return np.frombuffer(data, dtype)[0]


_CALLS = {
    "_codecs.encode": Factory._encode,
    # No bytes at all, in protocol 2.
    "builtins.bytes": lambda factory: b"",
    "builtins.frozenset": Factory._set,
    "builtins.set": Factory._set,
    "numpy._core.multiarray._reconstruct": lambda factory, *_: np.empty(0, np.uint8),
    "numpy._core.multiarray.scalar": Factory._numpy_scalar,
    "numpy.dtype": Factory._numpy_dtype,
    "torch.Size": lambda factory, sizes: sizes,
    "torch._tensor._rebuild_from_type_v2": Factory._subclass_of_tensor,
    "torch._utils._rebuild_parameter": Factory._parameter,
    "torch._utils._rebuild_parameter_with_state": Factory._parameter,
    "torch._utils._rebuild_tensor": Factory._tensor,
    "torch._utils._rebuild_tensor_v2": Factory._tensor,
    "torch._utils._rebuild_tensor_v3": Factory._typed_tensor,
    # Before torch 0.4.
    "torch.nn.parameter.Parameter": Factory._parameter,
}
