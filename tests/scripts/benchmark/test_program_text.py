"""What is read from the text of compiled programs: numbers by hand from small texts."""

import pytest

from scripts.benchmark.measuring.hlo_shape import read_arrays
from scripts.benchmark.measuring.origin import origin
from scripts.benchmark.measuring.program_text import read_program
from scripts.benchmark.measuring.program_traffic import (
    collectives,
    loops_of_unknown_length,
    operations,
)


@pytest.mark.parametrize(
    ("text", "size", "useful", "space"),
    [
        ("f32[100,4]{0,1}", 1600, 1600, 0),
        ("pred[]", 1, 1, 0),
        ("c64[3]", 24, 24, 0),
        ("f8e4m3fn[6]{0}", 6, 6, 0),
        ("s4[6]{0}", 3, 3, 0),
        # In memory 256, 512, 4 -> 8, 64 -> 128.
        (
            "bf16[4,256,512,64]{3,0,2,1:T(8,128)(2,1)}",
            256 * 512 * 8 * 128 * 2,
            4 * 256 * 512 * 64 * 2,
            0,
        ),
        ("f32[3,5]{1,0:T(8,128)S(1)}", 8 * 128 * 4, 60, 1),
        ("s8[7]{0:T(1024)}", 1024, 7, 0),
        # 2 x 3 as one dimension of 6.
        ("f32[2,3,100]{2,1,0:T(*,8,128)}", 8 * 128 * 4, 2400, 0),
        ("u32[]{:S(2)}", 4, 4, 2),
    ],
)
def test_an_array_in_memory(text, size, useful, space):
    (array,) = read_arrays(text)
    assert (array.bytes, array.useful_bytes, array.space) == (size, useful, space)


def test_the_arrays_of_a_tuple():
    text = "((f32[2,2]{1,0:T(2,128)}), /*index=1*/bf16[8]{0}, u32[]{:S(2)})"
    assert [str(one) for one in read_arrays(text)] == ["f32[2,2]", "bf16[8]", "u32[]"]


# A scan over ten rows of an array; every run cuts a row, adds it to a sum over the
# devices and writes the sum into a row of the result.
LOOP = """\
HloModule jit_step, is_scheduled=true, num_partitions=4

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%cut (rows: f32[10,256], i: s32[]) -> f32[256] {
  %rows = f32[10,256]{1,0} parameter(0)
  %i = s32[] parameter(1)
  %zero = s32[] constant(0)
  %row = f32[1,256]{1,0} dynamic-slice(%rows, %i, %zero), dynamic_slice_sizes={1,256}
  ROOT %flat = f32[256]{0} bitcast(%row), metadata={op_name="jit(step)/head/squeeze"}
}

%put (to: f32[10,256], row.1: f32[256], i.1: s32[]) -> f32[10,256] {
  %to = f32[10,256]{1,0} parameter(0)
  %row.1 = f32[256]{0} parameter(1)
  %i.1 = s32[] parameter(2)
  %zero.1 = s32[] constant(0)
  %line = f32[1,256]{1,0} bitcast(%row.1)
  ROOT %new = f32[10,256]{1,0} dynamic-update-slice(%to, %line, %i.1, %zero.1)
}

%body (state: (s32[], f32[10,256], f32[10,256])) -> (s32[], f32[10,256], f32[10,256]) {
  %state = (s32[], f32[10,256]{1,0}, f32[10,256]{1,0}) parameter(0)
  %n = s32[] get-tuple-element(%state), index=0
  %from = f32[10,256]{1,0} get-tuple-element(%state), index=1
  %into = f32[10,256]{1,0} get-tuple-element(%state), index=2
  %slice = f32[256]{0} fusion(%from, %n), kind=kLoop, calls=%cut
  %all = f32[256]{0} all-reduce(%slice), replica_groups={{0,1,2,3}}, to_apply=%add, metadata={op_name="jit(step)/head/bn/psum"}
  %result = f32[10,256]{1,0} fusion(%into, %all, %n), kind=kLoop, calls=%put
  ROOT %next = (s32[], f32[10,256]{1,0}, f32[10,256]{1,0}) tuple(%n, %from, %result)
}

%condition (state.1: (s32[], f32[10,256], f32[10,256])) -> pred[] {
  %state.1 = (s32[], f32[10,256]{1,0}, f32[10,256]{1,0}) parameter(0)
  %n.1 = s32[] get-tuple-element(%state.1), index=0
  %ten = s32[] constant(10)
  ROOT %less = pred[] compare(%n.1, %ten), direction=LT
}

ENTRY %main (x: f32[10,256]) -> f32[10,256] {
  %x = f32[10,256]{1,0} parameter(0), metadata={op_name="x"}
  %start = s32[] constant(0)
  %blank = f32[10,256]{1,0} broadcast(%start), dimensions={}
  %tuple = (s32[], f32[10,256]{1,0}, /*index=2*/f32[10,256]{1,0}) tuple(%start, %x, %blank)
  %loop = (s32[], f32[10,256]{1,0}, f32[10,256]{1,0}) while(%tuple), condition=%condition, body=%body, backend_config={"known_trip_count":{"n":"10"},"other":{"a":"(x"}}
  ROOT %out = f32[10,256]{1,0} get-tuple-element(%loop), index=2
}
"""


def by_name(text):
    return {one.name: one for one in operations(read_program(text))}


def test_a_loop_counts_as_often_as_it_runs():
    found = by_name(LOOP)
    moved = {name: (one.bytes, one.times, one.in_loop) for name, one in found.items()}
    row, index = 4 * 256, 4
    assert moved == {
        "blank": (4 + 10 * row, 1, False),
        "loop": (0, 1, False),
        # A row is read of the array, and written.
        "slice": (row + index + row, 10, True),
        "all": (2 * row, 10, True),
        # A row is read, and takes the place of one; the rest stays where it is.
        "result": (row + index + row, 10, True),
        "less": (4 + 4 + 1, 10, True),
    }
    assert found["slice"].op_name == "jit(step)/head/squeeze"  # of what is inside
    assert found["result"].op_name == "jit(step)/head/bn/psum"  # of what it takes
    assert found["slice"].total == 10 * found["slice"].bytes


def test_a_loop_that_does_not_say_how_often_it_runs():
    assert loops_of_unknown_length(read_program(LOOP)) == 0
    text = LOOP.replace("known_trip_count", "other_count")
    assert loops_of_unknown_length(read_program(text)) == 1
    assert by_name(text)["slice"].times == 1


def test_a_loop_whose_counter_says_how_often_it_runs():
    """As a TPU's compiler leaves it."""
    counts = LOOP.replace("known_trip_count", "other_count")
    counts = counts.replace("tuple(%n, %from", "tuple(%more, %from")
    add = """\
  %one = s32[] constant(3)
  %kept = s32[] copy(%n)
  %more = s32[] add(%kept, %one)
  ROOT %next"""
    counts = counts.replace("  ROOT %next", add)
    assert loops_of_unknown_length(read_program(counts)) == 0
    assert by_name(counts)["slice"].times == 4  # 0, 3, 6, 9
    for changed in (
        counts.replace("direction=LT", "direction=NE"),
        counts.replace("%more, %from", "%kept, %from"),
        counts.replace("add(%kept", "add(%one"),
        counts.replace("%start = s32[] constant(0)", "%start = s32[] parameter(1)"),
        counts.replace("%ten = s32[] constant(10)", "%ten = s32[] parameter(1)"),
    ):
        assert changed != counts
        assert loops_of_unknown_length(read_program(changed)) == 1


def test_a_collective_in_a_loop():
    (one,) = collectives(read_program(LOOP))
    assert (one.kind, one.bytes, one.times, one.in_loop) == (
        "all-reduce",
        1024,
        10,
        True,
    )
    assert one.op_name == "jit(step)/head/bn/psum"


# Prefetches of a TPU into its fast memory S(1), asynchronous pairs, a fusion of two
# results, one in another fusion.
PAIRS = """\
HloModule jit_step, is_scheduled=true

%inner (p: f32[8,128]) -> f32[8,128] {
  %p = f32[8,128]{1,0:T(8,128)} parameter(0)
  ROOT %turned = f32[8,128]{1,0:T(8,128)} transpose(%p), dimensions={0,1}, metadata={op_name="jit(step)/stem/turn"}
}

%both (q: f32[8,128], r: f32[8,128]) -> (f32[8,128], bf16[8,128]) {
  %q = f32[8,128]{1,0:T(8,128)} parameter(0)
  %r = f32[8,128]{1,0:T(8,128)} parameter(1)
  %in = f32[8,128]{1,0:T(8,128)} fusion(%q), kind=kLoop, calls=%inner
  %plus = f32[8,128]{1,0:T(8,128)} add(%in, %r)
  %half = bf16[8,128]{1,0:T(8,128)(2,1)} convert(%plus)
  ROOT %pair = (f32[8,128]{1,0:T(8,128)}, bf16[8,128]{1,0:T(8,128)(2,1)}) tuple(%plus, %half)
}

%wrapped (s: f32[4,128]) -> f32[16,128] {
  %s = f32[4,128]{1,0} parameter(0)
  ROOT %gathered = f32[16,128]{1,0} all-gather(%s), dimensions={0}
}

ENTRY %main (x: f32[8,128], y: f32[4,128]) -> bf16[8,128] {
  %x = f32[8,128]{1,0:T(8,128)} parameter(0), metadata={op_name="state.params[\\'stem\\']"}
  %y = f32[4,128]{1,0} parameter(1)
  %copy-start = (f32[8,128]{1,0:T(8,128)S(1)}, f32[8,128]{1,0:T(8,128)}, u32[]{:S(2)}) copy-start(%x)
  %slice-start = ((f32[8,128]{1,0:T(8,128)}), f32[8,16]{1,0:T(8,128)S(1)}, s32[]{:S(2)}) slice-start(%x), slice={[0:8], [0:16]}
  %gather-start = ((f32[4,128]{1,0}), f32[16,128]{1,0}) async-start(%y), calls=%wrapped
  %sum-start = f32[4,128]{1,0} all-reduce-start(%y), to_apply=%inner
  %copy-done = f32[8,128]{1,0:T(8,128)S(1)} copy-done(%copy-start)
  %slice-done = f32[8,16]{1,0:T(8,128)S(1)} slice-done(%slice-start)
  %gather-update = ((f32[4,128]{1,0}), f32[16,128]{1,0}) async-update(%gather-start)
  %gather-done = f32[16,128]{1,0} async-done(%gather-update)
  %sum-done = f32[4,128]{1,0} all-reduce-done(%sum-start)
  %two = (f32[8,128]{1,0:T(8,128)S(1)}, bf16[8,128]{1,0:T(8,128)(2,1)}) fusion(%copy-done, %x), kind=kLoop, calls=%both
  %joined = f32[8,16]{1,0:T(8,128)S(1)} custom-call(%slice-done), custom_call_target="ConcatBitcast"
  ROOT %end = bf16[8,128]{1,0:T(8,128)(2,1)} get-tuple-element(%two), index=1
}
"""


def test_pairs_count_once_and_only_what_the_main_memory_moves():
    tile = 8 * 128 * 4
    found = by_name(PAIRS)
    assert {name: (one.opcode, one.bytes) for name, one in found.items()} == {
        "copy-start": ("copy", tile),  # read; written into the fast memory
        "slice-start": ("slice", tile),  # sixteen columns fill a tile
        "gather-start": ("all-gather", 4 * 128 * 4 + 16 * 128 * 4),
        "sum-start": ("all-reduce", 2 * 4 * 128 * 4),
        # It reads one operand from the main memory, and writes half precision there.
        "two": ("fusion", tile + tile // 2),
    }
    assert [str(array) for array in found["two"].arrays] == [
        "f32[8,128]",
        "bf16[8,128]",
    ]
    assert found["two"].op_name == "jit(step)/stem/turn"
    assert found["copy-start"].op_name == "state.params['stem']"
    kinds = {(one.kind, one.bytes) for one in collectives(read_program(PAIRS))}
    assert kinds == {("all-gather", 8192), ("all-reduce", 2048)}


def test_a_text_that_is_no_program():
    with pytest.raises(ValueError, match="no ENTRY computation"):
        read_program("HloModule empty\n")
    with pytest.raises(ValueError, match=r"no HLO instruction: what is this"):
        read_program("ENTRY %main () -> f32[] {\n  what is this\n}\n")


STEP = "jit(step)/shard_map"


@pytest.mark.parametrize(
    ("op_name", "expected"),
    [
        (
            f"{STEP}/transpose(jvp(EncoderDecoder.loss))/EncoderDecoder/EncoderDecoder."
            + "extract_feat/backbone/up/upsample/upsample._upsample/jit(_take)/gather",
            "backbone/up/upsample/gather, backward",
        ),
        (
            f"{STEP}/jvp(EncoderDecoder.loss)/decode_head.loss/while/body/closed_call/"
            + "jvp()/reduce_sum",
            "decode_head.loss/reduce_sum",
        ),
        ("jit(step)/add", "jit(step)/add"),
        ("state.params['stem']", "state.params['stem']"),
        ("", "made by the compiler"),
    ],
)
def test_the_module_of_a_path(op_name, expected):
    assert origin(op_name) == expected
