"""One way in and one way out for three kinds of file."""

import pathlib

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from jaxseg.weights.files.mapped_file import CheckpointFileError
from jaxseg.weights.files.weights_file import read_weights, write_weights

FILES = pathlib.Path(__file__).parent / "examples"
KINDS = (".pth", ".safetensors", ".npz")
META = {
    "classes": ["road", "Gehölz"],
    "palette": [[128, 64, 128], [107, 142, 35]],
    "config": "model = dict(type='EncoderDecoder')\n",
    "iter": 80_000,
    "epoch": 3,
}


def state_dict():
    kernel = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    return {
        "backbone.conv1.weight": kernel.transpose(2, 1, 0),
        "backbone.bn1.num_batches_tracked": np.array(7),
        "fortran": np.asfortranarray(kernel),
        "half": np.arange(3, dtype=np.float16),
        "bfloat16": np.arange(6).astype(ml_dtypes.bfloat16).reshape(2, 3),
        "float8": np.arange(3).astype(ml_dtypes.float8_e4m3fn),
        "bool": np.array([True, False]),
        "uint16": np.arange(3, dtype=np.uint16),
        "big_endian": np.arange(3, dtype=">f4"),
        "empty": np.zeros((0, 3), np.float32),
        "file": np.ones(1),
        "jax": jnp.arange(3, dtype=jnp.bfloat16),
    }


def assert_same(arrays, expected):
    assert arrays.keys() == expected.keys()
    for key, value in expected.items():
        array, value = arrays[key], np.asarray(value)
        assert (array.dtype.name, array.shape) == (value.dtype.name, value.shape), key
        same = value.astype(value.dtype.newbyteorder("<"))
        assert array.tobytes() == same.tobytes(), key
        assert not array.flags.writeable, key


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_bit_for_bit(tmp_path, kind):
    write_weights(tmp_path / f"x{kind}", state_dict(), META)
    read = read_weights(tmp_path / f"x{kind}")
    assert_same(read.state_dict, state_dict())
    assert read.meta == META
    assert [path.name for path in tmp_path.iterdir()] == [f"x{kind}"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_content_tells_the_kind_and_not_the_name(tmp_path, kind):
    write_weights(tmp_path / f"x{kind}", {"a": np.ones(2)}, {})
    for name in ("y.pth", "y.safetensors", "y.bin"):
        (tmp_path / f"x{kind}").rename(tmp_path / name)
        assert_same(read_weights(tmp_path / name).state_dict, {"a": np.ones(2)})
        (tmp_path / name).rename(tmp_path / f"x{kind}")


def test_from_kind_to_kind_a_checkpoint_of_mmengine_stays_the_same(tmp_path):
    source = FILES / "mmengine_zip.pth"
    first = read_weights(source)
    assert first.meta["mmengine_version"] == "0.10.7"
    for kind in (*KINDS, ".pth"):
        target = tmp_path / f"x{kind}"
        write_weights(target, *vars(read_weights(source)).values())
        assert_same(read_weights(target).state_dict, first.state_dict)
        assert read_weights(target).meta == first.meta
        source = target


def test_numpy_and_safetensors_read_them_too(tmp_path):
    kernel = state_dict()["backbone.conv1.weight"]
    write_weights(tmp_path / "x.npz", {"w": kernel}, META)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["w"], kernel)
    write_weights(tmp_path / "x.safetensors", {"w": kernel}, META)
    loaded = safetensors.numpy.load_file(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(loaded["w"], kernel)


def test_files_of_numpy_and_safetensors_are_read(tmp_path):
    arrays = {"w": np.arange(6.0).reshape(2, 3), "n": np.array(3)}
    np.savez(tmp_path / "x.npz", **arrays)
    safetensors.numpy.save_file(arrays, tmp_path / "x.safetensors", {"format": "np"})
    for name in ("x.npz", "x.safetensors"):
        read = read_weights(tmp_path / name)
        assert_same(read.state_dict, arrays)
        assert read.meta == {}


def test_arrays_are_fit_for_jax_wherever_they_lie(tmp_path):
    # NumPy does not align the entries of its files, nor torch those before 1.6.
    arrays = {"w" * n: np.arange(3, dtype=np.float32) for n in range(1, 5)}
    np.savez(tmp_path / "x.npz", **arrays)
    read = read_weights(tmp_path / "x.npz").state_dict
    assert not all(array.flags.aligned for array in read.values())
    for array in read.values():
        np.testing.assert_array_equal(jnp.asarray(array), [0, 1, 2])


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x.ckpt: .* .pth, .safetensors, .npz"):
        write_weights(tmp_path / "x.ckpt", {}, {})
    for kind in KINDS:
        with pytest.raises(TypeError):
            write_weights(tmp_path / f"x{kind}", {"a": np.array(["text"])}, {})
    with pytest.raises(TypeError, match="a is of dtype complex128; safetensors has"):
        write_weights(tmp_path / "x.safetensors", {"a": np.ones(1, complex)}, {})
    assert list(tmp_path.iterdir()) == []


def test_errors_name_the_file(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", a=np.ones(3))
    with pytest.raises(CheckpointFileError, match="x.npz: .*np.savez_compressed"):
        read_weights(tmp_path / "x.npz")
    np.savez(tmp_path / "text.npz", a=np.array(["text"]))
    with pytest.raises(CheckpointFileError, match="text.npz: 'a' is of dtype <U4"):
        read_weights(tmp_path / "text.npz")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(CheckpointFileError, match="none.npz: "):
        read_weights(tmp_path / "none.npz")
    safetensors.numpy.save_file({}, tmp_path / "none.safetensors")
    with pytest.raises(CheckpointFileError, match="safetensors: holds no weights"):
        read_weights(tmp_path / "none.safetensors")
