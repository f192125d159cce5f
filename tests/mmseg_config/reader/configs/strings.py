"""A text before the first line is no variable."""

# ruff: noqa: SIM905, UP031, UP032
root = "data/tiles"
name = "r50"
joined = "_".join(["fcn", name, str(40)])
by_position = "{0}/{name}-{1:>5}|{0!r:.4}".format(root, 7, name=name)
by_order = "{}:{:.3f}:{{}}".format(root, 0.12345)
by_percent = "%s-%03d-%.2f%%" % (name, 7, 1.5)
by_key = "%(name)s" % dict(name=name)
by_f = f"{root}/{name!r}/{3.14159:.2f}/{len(root):>4}/{[1, 2]}"
parts = "a/b/c".split("/")
changed = root.replace("tiles", "roads").upper()
ends = [root.startswith("data"), root.endswith(("x", "y")), root[-5:], root[0]]
implicit = "one two"
repeated = "-" * 5
