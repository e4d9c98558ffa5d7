"""Questions of relative position whose answers follow from labels: left of, above, and where.

A word's places are a grid of its share of each cell, from boxes (their middles) or from a mask. What is asked must be
beyond doubt: of four pairs of places in five one word's lies on the same side of the other's; nine tenths of a word
lie in one half, away from the middle. Yes and no are asked in the same words: which of two words comes first, and how
a side is named, is drawn for each question, and the answers take turns. What is near is not asked: too few labelled
things lie far apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.data.vocabulary import plural

CELLS = 32  # of an image's side
_LEAST_SHARE = 0.02  # of the image, that a mask's word covers at least: less may be an error of the map
_SAME_SIDE = 0.8  # of all pairs of places
_LEAST_GAP = 0.1  # of the image's side, between the means
_IN_HALF = 0.9  # of all places
_OFF_MIDDLE = 0.15  # of the image's side, the mean
_OPPOSITE = {"west": "east", "east": "west", "north": "south", "south": "north"}
_SAID = {
    "west": ("to the left of", "west of"), "east": ("to the right of", "east of"),
    "north": ("above", "to the north of"), "south": ("below", "south of"),
}  # fmt: skip
Grid = NDArray[np.float64]


class Asked(NamedTuple):
    """A question of position: its kind (position or where), text and answer (yes, no or a side)."""

    kind: str
    text: str
    answer: str


def of_boxes(boxes: Sequence[Sequence[float]]) -> Grid:
    """[CELLS, CELLS] number of boxes (x0, y0, x1, y1 in 0..1) whose middle lies in a cell."""
    grid = np.zeros((CELLS, CELLS))
    for x0, y0, x1, y1 in boxes:
        row, col = (min(CELLS - 1, max(0, int(CELLS * v / 2))) for v in (y0 + y1, x0 + x1))
        grid[row, col] += 1
    return grid


def of_mask(mask: NDArray[np.bool_]) -> Grid:
    """[CELLS, CELLS] share of a cell that a mask covers."""
    rows, cols = (np.arange(n) * CELLS // n for n in mask.shape)
    grid, pixels = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    np.add.at(grid, (rows[:, None], cols[None]), mask)
    np.add.at(pixels, (rows[:, None], cols[None]), 1.0)
    return np.asarray(grid / np.maximum(pixels, 1.0))


def positions(meta: Mapping[str, Any], rng: np.random.Generator, turn: int = 0) -> list[Asked]:
    """What can be asked of one image: every pair of words along either axis, and every word's side.

    Args:
        meta: `boxes`, word -> boxes; `grids`, word -> grid of a mask; `counts`, word -> number, of single things.
        rng: For the choice of words.
        turn: How many questions of the kind position there are of other images: the answers take turns.
    """
    masked = {w: g for w, g in (meta.get("grids") or {}).items() if g.mean() >= _LEAST_SHARE}
    boxed = {w: of_boxes(b) for w, b in (meta.get("boxes") or {}).items() if b}
    number = dict(meta.get("counts") or {}) | {w: len(b) for w, b in (meta.get("boxes") or {}).items()}
    names = {w: plural(w) if number.get(w, 1) > 1 else w for w in (*masked, *boxed)}
    made: list[Asked] = []
    for grids in (masked, boxed):
        for a, b in combinations(sorted(grids), 2):
            for side in _sides(grids[a], grids[b]):
                verbs = "Are" if names[a] != a else "Is", "Are" if names[b] != b else "Is"
                answer = "no" if (turn + len(made)) % 2 else "yes"
                made.append(_relation((names[a], names[b]), verbs, side, answer, rng))
    for word, grid in (masked | boxed).items():
        verb = "are" if names[word] != word else "is"
        made += [Asked("where", f"Where {verb} the {names[word]}?", side) for side in _halves(grid)]
    return made


def right_side(said: str, side: str) -> bool:
    """Whether an answer names a side and not the opposite one: in the north-west is in the north and in the west."""
    words = "".join(c if c.isalpha() else " " for c in said.lower()).split()
    return side in words and _OPPOSITE[side] not in words


def best_constant(sides: Mapping[str, int]) -> float:
    """How many questions one answer that is always given gets right; it may name a corner, and so two sides."""
    along = [("west", "east"), ("north", "south")]
    return float(sum(max(sides.get(s, 0) for s in axis) for axis in along))


def _relation(
    names: tuple[str, str], verbs: tuple[str, str], side: str, answer: str, rng: np.random.Generator
) -> Asked:
    """The first lies on this side of the second; the question may be of either, and names the other side for a no."""
    at = int(rng.integers(2))
    named = side if (answer == "yes") is (at == 0) else _OPPOSITE[side]
    said = _SAID[named][int(rng.integers(2))]
    return Asked("position", f"{verbs[at]} the {names[at]} {said} the {names[1 - at]}?", answer)


def _sides(a: Grid, b: Grid) -> list[str]:
    """On which sides of B A lies beyond doubt."""
    found = []
    for axis, (low, high) in enumerate((("west", "east"), ("north", "south"))):
        p, q = (g.sum(axis=axis) / g.sum() for g in (a, b))
        lower = float((p[:-1] * (1 - np.cumsum(q))[:-1]).sum())
        higher = float((q[:-1] * (1 - np.cumsum(p))[:-1]).sum())
        gap = abs(float((p - q) @ np.arange(CELLS))) / CELLS
        if gap >= _LEAST_GAP and max(lower, higher) >= _SAME_SIDE:
            found.append(low if lower > higher else high)
    return found


def _halves(grid: Grid) -> list[str]:
    """In which halves it lies; not where it is near the middle, or so far along the other axis that one names that."""
    along = [grid.sum(axis=axis) / grid.sum() for axis in (0, 1)]
    offsets = [float(p @ (np.arange(CELLS) + 0.5)) / CELLS - 0.5 for p in along]
    found = []
    for p, own, other, (low, high) in zip(
        along, offsets, offsets[::-1], (("west", "east"), ("north", "south")), strict=True
    ):
        share = float(p[: CELLS // 2].sum())
        if max(share, 1 - share) >= _IN_HALF and abs(own) >= max(_OFF_MIDDLE, abs(other) / 2):
            found.append(low if own < 0 else high)
    return found
