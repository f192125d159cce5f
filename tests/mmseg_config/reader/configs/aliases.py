# One list under three names; a change is seen under all of them.
first = [1, 2]
second = first
third = dict(inner=first)
first.append(3)
second += [4]
third["inner"].insert(0, 0)
copied = first.copy()
copied.pop()
norm_cfg = dict(type="BN")
model = dict(a=norm_cfg, b=dict(norm_cfg))
norm_cfg["eps"] = 1e-3
model["a"].setdefault("momentum", 0.1)
popped = norm_cfg.pop("type", None)
merged = {**norm_cfg, "eps": 1, **dict(x=2)}
