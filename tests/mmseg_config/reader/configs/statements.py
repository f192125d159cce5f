heads = []
stages = {}
for index, width in enumerate([16, 32, 64]):
    if width > 32:
        heads.append(dict(type="OCRHead", channels=width))
    elif index == 0:
        heads += [dict(type="FCNHead", channels=width)]
    else:
        heads.extend([None])
    for side in ("left", "right"):
        stages[f"{side}{index}"] = width
number: int = 3
number -= 1
unset: str
stages.update(last=number)
if number == 2:
    chosen = "two"
    del number
else:
    pass
