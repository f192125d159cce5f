nested = [(1, [2, (3,)]), {"a": (4.0, None)}]
empty = dict(a=(), b=[], c={}, d="")
integers = {0: "road", 7: "sky", (1, 2): "pair", None: 0, 2.5: True}
scales = ((2049, 1025), [2049, 1025])
numbers = (1, 1.0, True, 1e-08, 0x1F, 1_000, -0.0)
chosen = {3, 1, 2}
classes = ("water", "земля", "道路")
