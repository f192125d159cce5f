"""Pickles read as data, by a stack machine that calls nothing a file names.

`pickletools` knows how the argument of an opcode is read; this file knows what the
opcodes do that `torch.save` writes, and refuses the others before it reads on.
"""

import io
import pickletools
from collections.abc import Callable, Iterator
from typing import Any

from jaxseg.weights.files.mapped_file import CheckpointFileError, shown
from jaxseg.weights.files.pickle_names import (
    MAX_STEPS,
    Factory,
    Inert,
    Name,
    is_known,
    resolve,
    text,
)
from jaxseg.weights.files.torch_storage import Storage

# 160 000 iterations of a training log are 40 MB, in the checkpoints that hold one.
MAX_BYTES = 256 << 20
_MAX_INTEGER_BITS = 1024

_CODES = {opcode.code.encode("latin1"): opcode for opcode in pickletools.opcodes}
_LITERALS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
# Their argument is the value.
_VALUES = frozenset(
    [
        "BINBYTES",
        "BINBYTES8",
        "BINFLOAT",
        "BININT",
        "BININT1",
        "BININT2",
        "BINSTRING",
        "BINUNICODE",
        "BINUNICODE8",
        "LONG1",
        "LONG4",
        "SHORT_BINBYTES",
        "SHORT_BINSTRING",
        "SHORT_BINUNICODE",
    ]
)
_OTHERS = frozenset(
    [
        "ADDITEMS",
        "APPEND",
        "APPENDS",
        "BINGET",
        "BINPERSID",
        "BINPUT",
        "BUILD",
        "FRAME",
        "FROZENSET",
        "GLOBAL",
        "LONG_BINGET",
        "LONG_BINPUT",
        "MARK",
        "MEMOIZE",
        "NEWOBJ",
        "NEWOBJ_EX",
        "PROTO",
        "REDUCE",
        "SETITEM",
        "SETITEMS",
        "STACK_GLOBAL",
        "STOP",
        "TUPLE",
    ]
)
_ALLOWED = _OTHERS.union(_VALUES, _LITERALS, _EMPTY, _TUPLES)
_MARK = object()


def load(
    file: io.BytesIO,
    persistent_load: Callable[[Any], Storage],
    foreign: set[str] | None = None,
) -> Any:
    """Reads one pickle.

    Args:
        file: at the pickle's first byte; left behind its last.
        persistent_load: gives the storage that a persistent id stands for.
        foreign: gets the names of classes that checkpoints usually do not have, and
            whose objects are Inert.

    Returns:
        Dicts, lists, tuples, sets, numbers, strings, arrays, dtypes, and `Name` and
        `Inert` of `pickle_names`. The whole may be shared and cyclic in itself: a walk
        through it needs a bound.

    Raises:
        CheckpointFileError: for damaged bytes, and for all that weights have no use
            for.
    """
    machine = _Machine(persistent_load, Factory(file.getbuffer().nbytes))
    try:
        result = machine.run(_opcodes(file))
        if foreign is not None:
            foreign |= machine.foreign
        return result
    except CheckpointFileError:
        raise
    # What pickletools says of damaged bytes, and what a wrong stack comes to.
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise CheckpointFileError(
            f"the pickle is damaged or cut short ({type(error).__name__})"
        ) from error


def _opcodes(file) -> Iterator[tuple[str, Any]]:
    while code := file.read(1):
        opcode = _CODES.get(code)
        if opcode is None or opcode.name not in _ALLOWED:
            raise CheckpointFileError(
                f"the pickle has the opcode {opcode.name if opcode else code}, which "
                "torch.save does not write"
            )
        if opcode.name == "GLOBAL":
            # Not by pickletools, which decodes escapes in it.
            yield opcode.name, f"{_line(file)}.{_line(file)}"
        else:
            yield opcode.name, opcode.arg.reader(file) if opcode.arg else None
    raise CheckpointFileError("the pickle is cut short")


def _line(file):
    line = file.readline()
    if not line.endswith(b"\n"):
        raise CheckpointFileError("the pickle is cut short")
    return line[:-1].decode()


class _Machine:
    """The stack and the memo; `pickletools.dis` shows what goes on."""

    def __init__(self, persistent_load, factory):
        self._persistent_load, self._factory = persistent_load, factory
        self._stack, self._memo, self.foreign = [], {}, set()

    def run(self, opcodes):
        stack, memo = self._stack, self._memo
        for opcode, arg in opcodes:
            self._factory.spend(1)
            if opcode in _VALUES:
                if type(arg) is int and arg.bit_length() > _MAX_INTEGER_BITS:
                    raise CheckpointFileError(
                        f"the pickle holds an integer of {arg.bit_length()} bits"
                    )
                stack.append(arg)
            elif opcode in ("BINPUT", "LONG_BINPUT"):
                # Numbers one after the other, as far as there are steps: no others,
                # which could be chosen to collide.
                if arg >= MAX_STEPS:
                    raise CheckpointFileError(f"the pickle has the memo {arg}")
                memo[arg] = stack[-1]
            elif opcode in ("BINGET", "LONG_BINGET"):
                stack.append(memo[arg])
            elif opcode == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif opcode in _LITERALS:
                stack.append(_LITERALS[opcode])
            elif opcode in _EMPTY:
                stack.append(_EMPTY[opcode]())
            elif opcode == "MARK":
                stack.append(_MARK)
            elif opcode in _TUPLES:
                items = [self._pop() for _ in range(_TUPLES[opcode])]
                stack.append(tuple(reversed(items)))
            elif opcode == "PROTO":
                if not 2 <= arg <= 5:
                    raise CheckpointFileError(f"the pickle has protocol {arg}")
            elif opcode == "STOP":
                return self._pop()
            elif opcode != "FRAME":
                self._build(opcode, arg)

    def _build(self, opcode, arg):
        stack = self._stack
        if opcode == "TUPLE":
            stack.append(tuple(self._pop_to_mark()))
        elif opcode == "FROZENSET":
            stack.append(frozenset(map(self._factory.key, self._pop_to_mark())))
        elif opcode == "APPEND":
            item = self._pop()
            self._top(list).append(item)
        elif opcode == "APPENDS":
            items = self._pop_to_mark()
            self._top(list).extend(items)
        elif opcode == "ADDITEMS":
            items = self._pop_to_mark()
            self._top(set).update(map(self._factory.key, items))
        elif opcode == "SETITEM":
            value, name = self._pop(), self._pop()
            self._top(dict)[self._factory.key(name)] = value
        elif opcode == "SETITEMS":
            items = self._pop_to_mark()
            keys = map(self._factory.key, items[::2])
            pairs = zip(keys, items[1::2], strict=True)
            self._top(dict).update(pairs)
        elif opcode == "GLOBAL":
            stack.append(self._resolve(arg))
        elif opcode == "STACK_GLOBAL":
            name, module = self._pop(), self._pop()
            stack.append(self._resolve(f"{text(module)}.{text(name)}"))
        elif opcode in ("REDUCE", "NEWOBJ"):
            args, function = self._pop(), self._pop()
            stack.append(self._factory.call(function, args))
        elif opcode == "NEWOBJ_EX":
            keywords, args, function = self._pop(), self._pop(), self._pop()
            value = self._factory.call(function, args)
            if type(value) is Inert:
                value.state = keywords
            stack.append(value)
        elif opcode == "BUILD":
            state = self._pop()
            stack[-1] = self._factory.set_state(stack[-1], state)
        elif opcode == "BINPERSID":
            stack.append(self._persistent_load(self._pop()))

    def _pop(self):
        value = self._stack.pop()
        if value is _MARK:
            raise CheckpointFileError("the pickle is damaged: a mark for a value")
        return value

    def _pop_to_mark(self):
        at = len(self._stack) - 1
        while at >= 0 and self._stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise CheckpointFileError("the pickle is damaged: a mark is missing")
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def _resolve(self, name):
        value = resolve(name)
        if type(value) is Name and not is_known(value.name):
            self.foreign.add(value.name)
        return value

    def _top(self, kind):
        top = self._stack[-1]
        if type(top) is Inert:  # of a class that is a dict, a list or a set
            top.items = kind() if top.items is None else top.items
            top = top.items
        if type(top) is not kind:
            raise CheckpointFileError(
                f"the pickle puts items into {shown(top)}, not into a {kind.__name__}"
            )
        return top
