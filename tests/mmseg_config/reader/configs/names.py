__hidden = 3
_kept = __hidden + 1
a = b = [1]
(c, d), *rest = (1, 2), 3, 4
head, *middle, tail = "abcd"
[e, f] = {"x": 1, "y": 2}
x = y = dict()
x["k"], y["l"] = 1, 2
type = "a name that Python has too"
