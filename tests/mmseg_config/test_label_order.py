"""The label map that makes labels as mmseg 0.x makes them, by hand."""

from jaxseg.mmseg_config.label_order import label_map_of_v0


def test_places_are_moved_down_after_the_choice():
    # Of classes a, b, c: b gets place 0, which then is ignored, and c place 1, which
    # becomes 0 and with it what b stands for. Label 3 is no class, and left out.
    assert label_map_of_v0("abc", "bc") == {0: 255, 1: 255, 2: 1}


def test_where_all_are_chosen_the_label_behind_them_is_the_last():
    # Label 3 keeps its number, and moved down by one it is the last place: "c".
    assert label_map_of_v0("abc", "bac") == {0: 1, 1: 255, 2: 0, 3: 2}
