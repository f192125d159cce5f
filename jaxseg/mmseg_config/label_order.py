"""Order of reduce_zero_label and a choice of classes, in which the two lines differ."""

from collections.abc import Sequence

_IGNORED = 255


def label_map_of_v0(known: Sequence[str], classes: Sequence[str]) -> dict[int, int]:
    """The `label_map` that gives a data set of ours the labels of mmseg 0.x.

    1.x, and ours, first reduces the labels of a file (0 is ignored, label n is class
    n - 1) and then gives the chosen classes their places. 0.x does it the other way
    round: it takes label n of the file for class n, and afterwards moves the places
    down by one, so that place 0 is ignored. The names are not those of what is
    learnt, then; but whoever goes on from such a run needs the same labels.

    Ours gets them with `reduce_zero_label=False` and this map, which leads from the
    labels of a file to the data set's own classes; from there it gives the places.

    Args:
        known: the data set's own classes.
        classes: the chosen ones.

    Returns:
        Label of a file -> index into `known`, or 255. A label that 0.x would move to
        a number without a class is left out, so that it is refused.
    """
    chosen, known = list(classes), list(known)
    places = [chosen.index(name) if name in chosen else None for name in known]
    if len(chosen) == len(known):
        places.append(len(known))  # no class before it is moved, one afterwards
    return {
        label: known.index(chosen[place - 1]) if place else _IGNORED
        for label, place in enumerate(places)
    }
