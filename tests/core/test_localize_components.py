"""Numbering of connected pieces, against a flood pixel by pixel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rsvlm_core.localize.polygons import connected


def flooded(labels):
    """Pixel by pixel."""
    out, count = np.zeros(labels.shape, np.int64), 0
    for start in zip(*np.nonzero(labels), strict=True):
        if out[start]:
            continue
        count += 1
        todo = [start]
        while todo:
            r, c = todo.pop()
            if 0 <= r < labels.shape[0] and 0 <= c < labels.shape[1] and not out[r, c] and (
                labels[r, c] == labels[start]
            ):
                out[r, c] = count
                todo += [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
    return out


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 2)))
def test_pieces_are_those_of_a_flood(labels):
    ids, wanted = connected(labels), flooded(labels)
    pairs = set(zip(ids.ravel().tolist(), wanted.ravel().tolist(), strict=True)) | {(0, 0)}
    assert len(pairs) == ids.max() + 1 == wanted.max() + 1  # one to one, background on background


def test_a_long_spiral_is_one_piece_and_nothing_is_none():
    side = 101
    labels = np.zeros((side, side), np.uint8)
    r = c = 0
    dr, dc = 0, 1
    labels[0, 0] = 1
    while True:  # walls two pixels apart
        ahead = (r + 2 * dr, c + 2 * dc)
        inside = 0 <= r + dr < side and 0 <= c + dc < side
        if not inside or (0 <= ahead[0] < side and 0 <= ahead[1] < side and labels[ahead]):
            dr, dc = dc, -dr
            if labels[r + dr, c + dc] or labels[r + 2 * dr, c + 2 * dc]:
                break
            continue
        r, c = r + dr, c + dc
        labels[r, c] = 1
    assert labels.sum() > 4000 and connected(labels).max() == 1
    assert not connected(np.zeros((5, 6), np.uint8)).any()
    assert connected(np.zeros((0, 6), np.uint8)).shape == (0, 6)
