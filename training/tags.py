"""What is known to be where in an image, without a hand-made mask: map tags, boxes, and what a scene can contain.

A tag set says of a cell which concepts may be there ("allowed") and of an image which must be ("main"). A map's road
pixel allows only road; the rest of a map allows what towns are made of; a scene named forest allows trees everywhere;
a scene named dense residential allows buildings, roads, trees, cars, and must have buildings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsvlm_core.errors import UsageError

_EXCESS = 5.0  # cost of covering everything where almost nothing is allowed: as much as a clear mistake of a cell


@dataclass(frozen=True)
class Concepts:
    """The vocabulary that tags are written in.

    Attributes:
        names: C names.
        phrases: For each, what it may be called.
        overlaps: [C, C] bool; [a, b] where a cell of a may also be called b, so that b is no competitor of a.
    """

    names: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    overlaps: NDArray[np.bool_]

    @classmethod
    def from_dict(cls, raw: Mapping[str, Mapping[str, Sequence[str]]]) -> Concepts:
        """From a recipe: name -> {phrases: [...], overlaps: [names]}.

        Raises:
            UsageError: A concept has no phrase or overlaps with one that is not there.
        """
        names = tuple(raw)
        overlaps = np.zeros((len(names), len(names)), bool)
        for i, (name, entry) in enumerate(raw.items()):
            if not entry.get("phrases"):
                raise UsageError(f"The concept '{name}' has no phrases.")
            for other in entry.get("overlaps", ()):
                if other not in names:
                    raise UsageError(f"The concept '{name}' overlaps with '{other}', which is not there.")
                overlaps[i, names.index(other)] = True
        return cls(names, tuple(tuple(raw[n]["phrases"]) for n in names), overlaps)

    def mask(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """[C] bool of a list of names.

        Raises:
            UsageError: A name is not a concept.
        """
        unknown = set(names) - set(self.names)
        if unknown:
            raise UsageError(f"Tags use concepts that are not there: {', '.join(sorted(unknown))}.")
        return np.isin(self.names, list(names))


@dataclass(frozen=True)
class TagRule:
    """How a set's samples become tags.

    Attributes:
        labels: Pixel label value -> allowed concepts.
        rivals: Pixel label value -> concepts that compete there although they overlap with what is allowed: grass
            where a map shows no park is no park.
        boxes: Box word -> allowed concepts within the box; outside nothing is known.
        classes: Scene class -> {"main": [...], "allowed": [...], "most": {concept: share}}: what must be somewhere,
            what else may be, and how much of such scenes a concept covers at most.
        weight: Of the set's losses.
    """

    labels: Mapping[int, Sequence[str]] | None = None
    rivals: Mapping[int, Sequence[str]] = field(default_factory=dict)
    boxes: Mapping[str, Sequence[str]] | None = None
    classes: Mapping[str, Mapping[str, Any]] | None = None
    weight: float = 1.0


def cell_tags(
    rule: TagRule, concepts: Concepts, labels: Tensor | None, boxes: Tensor | None, meta: Mapping[str, Any], side: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Tags of one view.

    Args:
        rule: The set's.
        concepts: The vocabulary.
        labels: [S, S] label values of the view, or None.
        boxes: [S, S] index + 1 of the box word (in the rule's order) at each pixel of the view, or None.
        meta: The sample's.
        side: Cells a side; S is a multiple.

    Returns:
        allowed [side, side, C] bool, all False where nothing is known; rivals, likewise; main [C] bool; most [C]
        float32, 1 where no bound is known.
    """
    count = len(concepts.names)
    allowed = torch.zeros(side, side, count, dtype=torch.bool)
    rivals = torch.zeros_like(allowed)
    main, most = torch.zeros(count, dtype=torch.bool), torch.ones(count)
    for table, plane in ((rule.labels, labels), (_numbered(rule.boxes), boxes)):
        if table is None or plane is None:
            continue
        step = plane.shape[0] // side
        cells = plane.view(side, step, side, step)
        for value, names in table.items():
            # A cell counts where most of it is of one kind; mixed cells teach nothing clear.
            clear = (cells == value).float().mean((1, 3)) > 0.7
            allowed[clear] = torch.from_numpy(concepts.mask(names))
            if table is rule.labels and value in rule.rivals:
                rivals[clear] = torch.from_numpy(concepts.mask(rule.rivals[value]))
    scene = (rule.classes or {}).get(str(meta.get("class")))
    if scene is not None:
        allowed[:] = torch.from_numpy(concepts.mask([*scene.get("allowed", ()), *scene["main"]]))
        main = torch.from_numpy(concepts.mask(scene["main"]))
        for name, share in scene.get("most", {}).items():
            most[torch.from_numpy(concepts.mask([name]))] = float(share)
    return allowed, rivals, main, most


def _numbered(boxes: Mapping[str, Sequence[str]] | None) -> dict[int, Sequence[str]] | None:
    return None if boxes is None else {i + 1: names for i, names in enumerate(boxes.values())}


def box_plane(rule: TagRule, meta: Mapping[str, Any], size: int) -> NDArray[np.uint8]:
    """[size, size] uint8 of a bank's centre-square image: index + 1 of the box word at each pixel, 0 elsewhere."""
    plane = np.zeros((size, size), np.uint8)
    width, height = meta["_size"]
    side = min(width, height)
    for i, word in enumerate(rule.boxes or {}):
        for x0, y0, x1, y1 in (meta.get("boxes") or {}).get(word, ()):
            # Boxes are shares of the whole image, the bank keeps its centre square.
            cols = [int(round(((v * width) - (width - side) / 2) / side * size)) for v in (x0, x1)]
            rows = [int(round(((v * height) - (height - side) / 2) / side * size)) for v in (y0, y1)]
            plane[max(rows[0], 0) : max(rows[1], 0), max(cols[0], 0) : max(cols[1], 0)] = i + 1
    return plane


def tag_loss(
    logits: Tensor,
    allowed: Tensor,
    main: Tensor,
    overlaps: Tensor,
    rivals: Tensor | None = None,
    most: Tensor | None = None,
    balance: float = 1.0,
) -> Tensor:
    """Partial-label loss of one batch of images.

    With q = softmax over concepts at a cell, a cell whose allowed set is A costs `-log sum_{c in A} q_c`, concepts that
    overlap with A taken out of the softmax unless they are named as rivals; an image whose main set is M costs
    `-log mean_cells q_c` for each c of M, the mean over the quarter of cells where q_c is highest: what must be there
    is somewhere, not everywhere. Where a concept covers more of the cells than it can, by q and on average over the
    images with a bound, each hundredth too much costs a twentieth.
    For cells that allow one concept this is the pixel-level loss of METHODS section 4 with tags for photos.

    Args:
        logits: [B, h, w, C] scale * cosine of cells and concept vectors.
        allowed: [B, h, w, C] bool; cells without any are left out.
        main: [B, C] bool.
        overlaps: [C, C] bool.
        rivals: [B, h, w, C] bool; None for none.
        most: [B, C] float32, shares of the cells; None for no bounds.
        balance: 1: every concept that is allowed alone somewhere counts the same, however few its cells; 0: every cell
            does; between: cells weigh as the power of their concept's frequency.

    Returns:
        Scalar.
    """
    known = allowed.any(-1)
    total = logits.new_zeros(())
    if known.any():
        a = allowed[known]
        x = logits[known]
        compete = ~(a.float() @ overlaps.float() > 0) | a
        if rivals is not None:
            compete |= rivals[known]
        x = x.masked_fill(~compete, float("-inf"))
        cost = x.logsumexp(-1) - x.masked_fill(~a, float("-inf")).logsumexp(-1)
        sure = a.sum(-1) == 1
        frequency = (a & sure[:, None]).float().sum(0)
        alike = torch.where(sure, frequency[a.float().argmax(-1)], (~sure).sum())
        weight = alike.clamp(min=1) ** -balance
        total = total + (weight * cost).sum() / weight.sum()
    if main.any():
        rows = main.any(-1)
        a = allowed[rows]
        compete = ~(a.float() @ overlaps.float() > 0) | a
        q = logits[rows].masked_fill(~compete, float("-inf")).softmax(-1).flatten(1, 2)
        top = q.topk(max(1, q.shape[1] // 4), dim=1).values.mean(1)
        total = total - (top.clamp(min=1e-6).log() * main[rows]).sum() / main[rows].sum()
        if most is not None:
            bounded = (most[rows] < 1).float()
            # On average over the batch: a crop may well show nothing but one roof.
            excess = ((q.mean(1) - most[rows]) * bounded).sum(0) / bounded.sum(0).clamp(min=1)
            total = total + _EXCESS * excess.clamp(min=0).sum()
    return total
