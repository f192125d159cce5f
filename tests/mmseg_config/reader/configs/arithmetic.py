# ruff: noqa: C410, PLR0133, SIM201
gpus, per_gpu = 4, 2
batch = gpus * per_gpu
lr = 0.001 * batch / 16
iters = 80000 // batch + 7 % 4 - -3
channels = [18, 36, 72, 144]
in_channels = sum(channels)
class_weight = [1.0] * 3 + [0.5]
size = (8,) * 2
large = 2**20 | 1 << 4
mode = "slide" if iters > 9000 and not gpus == 8 else "whole"
between = 0 < batch <= 8 < 9 != 10
either = None or channels[1:3]
nothing = None is None and "a" not in "bcd"
rounded = [round(lr, 4), round(2.5), abs(-3), min(3, 1, 2), max([4, 9])]
casts = [int("12"), float("1e-3"), str(0.5), bool([]), list((1, 2)), tuple("ab")]
zipped = dict(zip(["a", "b"], reversed([1, 2])))
infinite = [float("inf"), -float("inf")]
