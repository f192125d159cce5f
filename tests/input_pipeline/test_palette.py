"""Colours of classes without a palette are told apart."""

import numpy as np
import pytest

from input_pipeline.palette import DISTINCT, distinct_palette


def lab(colors):
    """CIELAB of sRGB colours, 0 to 255 (CIE 15:2004, illuminant D65)."""
    c = np.asarray(colors, float) / 255
    linear = np.where(c > 0.04045, ((c + 0.055) / 1.055) ** 2.4, c / 12.92)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    x, y, z = np.moveaxis(linear @ np.transpose(to_xyz) / [0.95047, 1, 1.08883], -1, 0)
    x, y, z = (
        np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
        for t in (x, y, z)
    )
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(first, second):
    """Distances of colours in CIELAB (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0)
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - np.sqrt(mean**7 / (mean**7 + 25**7)) / 2
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1, h2 = np.arctan2(b1, a1 * stretch), np.arctan2(b2, a2 * stretch)
    turn = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)
    light, c, h = (l1 + l2) / 2 - 50, (c1 + c2) / 2, h1 + turn / 2
    t = 1 - 0.17 * np.cos(h - np.pi / 6) + 0.24 * np.cos(2 * h)
    t += 0.32 * np.cos(3 * h + np.radians(6)) - 0.2 * np.cos(4 * h - np.radians(63))
    dl /= 1 + 0.015 * light**2 / np.sqrt(20 + light**2)
    dc /= 1 + 0.045 * c
    dh /= 1 + 0.015 * c * t
    blue = np.radians(60) * np.exp(-(((np.degrees(h) % 360 - 275) / 25) ** 2))
    twist = -2 * np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(blue)
    return np.sqrt(dl**2 + dc**2 + dh**2 + twist * dc * dh)


def least(colors):
    """The least distance of two colours."""
    points = lab(colors)
    distances = ciede2000(points[:, None], points[None])
    return distances[~np.eye(len(colors), dtype=bool)].min()


def test_the_distance_is_that_of_the_paper():
    # Table 1 of Sharma, Wu and Dalal, pairs 1 and 17.
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ]
    for first, second, distance in pairs:
        found = ciede2000(np.array(first, float), np.array(second, float))
        assert found == pytest.approx(distance, abs=1e-4)


def test_colors_are_told_apart():
    assert len(DISTINCT) >= 20
    ends = ((0, 0, 0), (255, 255, 255))  # what counts nowhere, and the page
    assert least((*DISTINCT, *ends)) > 17.5
    assert least(distinct_palette(11)) > 26
    # The colours of before, of which three were greens.
    draws = np.random.RandomState(42).randint(0, 255, (11, 3))
    assert least(draws) < 10


def test_more_classes_than_colors():
    palette = distinct_palette(150)
    assert palette[:32] == DISTINCT and len(set(palette)) == 150
    assert distinct_palette(40) == palette[:40]
