import pytest

from scripts.benchmark import loss_memory
from scripts.benchmark.measuring.topology import topology_devices

# More than one strip of a CPU.
CASE = ((32, 32), 19, (256, 256))


def both(batch, case, dtype, device):
    loss = loss_memory.make_losses(case[1])["CE"]
    return [
        loss_memory.memory(*loss, batch, case, strips, dtype, device)
        for strips in (False, True)
    ]


def test_strips_take_less_memory_on_this_machine():
    plain, strips = both(2, CASE, "float32", topology_devices("local")[0])
    full = 2 * 256 * 256 * 19 * 4
    assert 0 < strips.temporary < full < plain.temporary
    assert plain.moved > 0 < strips.moved


def test_a_table_of_a_chosen_loss(monkeypatch, capsys):
    monkeypatch.setattr(loss_memory, "CASES", (((4, 4), 3, (8, 8)),))
    assert loss_memory.main(["--losses", "Dice", "--batch_size", "1"]) == 0
    *_, row = capsys.readouterr().out.splitlines()
    assert row.startswith("| 1, 4x4 -> 8x8, 3 | Dice | 0.0 |") and row.count("|") == 8


@pytest.mark.long
@pytest.mark.parametrize("case", loss_memory.CASES[:2])
def test_strips_move_less_on_a_tpu(case):
    pytest.importorskip("libtpu")
    device = topology_devices("v5e:2x2")[0]
    # Logits at full size that the chip's fast memory does not hold, 128 MiB.
    plain, strips = both(4, case, "bfloat16", device)
    assert strips.moved < plain.moved / 5
    assert strips.temporary < plain.temporary
