"""Pictures of what a model gets right and wrong: captions with the images it found for them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from rsvlm_core.errors import OutputError
from training.evaluate.retrieval import CaptionedSet, Outcome

ROWS, COLUMNS = 6, 5


def draw_retrievals(data: CaptionedSet, found: Outcome, folder: Path, seed: int = 0) -> list[Path]:
    """Write `best.png` and `worst.png`: captions, the five images found first, the wanted one framed.

    The best are drawn at random among captions whose image comes first, the worst are those whose image comes last;
    one caption an image.

    Args:
        data: The set.
        found: What a model made of it, with scores.
        folder: Where to.
        seed: Of the draw.

    Raises:
        OutputError: The folder cannot be written.
    """
    rank = found.text_to_image
    order = np.random.default_rng(seed).permutation(len(rank))
    best = _one_an_image(order[rank[order] == 0], data)
    worst = _one_an_image(order[np.argsort(-rank[order], kind="stable")], data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = [(best, folder / "best.png"), (worst, folder / "worst.png")]
        for captions, path in made:
            _draw(data, found, captions, path)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}).", "Choose another --pictures.") from error
    return [path for _, path in made]


def _one_an_image(captions: np.ndarray, data: CaptionedSet) -> list[int]:
    chosen: dict[int, int] = {}
    for m in captions:
        chosen.setdefault(int(data.owner[m]), int(m))
        if len(chosen) == ROWS:
            break
    return list(chosen.values())


def _draw(data: CaptionedSet, found: Outcome, captions: list[int], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 * (COLUMNS + 2), 2.1 * max(1, len(captions))), layout="constrained")
    axes = figure.subplots(max(1, len(captions)), COLUMNS + 2, squeeze=False)
    for cell in axes.flat:
        cell.set_axis_off()
    for row, m in zip(axes, captions, strict=False):
        own = int(data.owner[m])
        text = f"{data.captions[m]}\n\nits image: rank {int(found.text_to_image[m]) + 1}"
        row[0].text(0, 0.5, textwrap.fill(text, 26, replace_whitespace=False), va="center", fontsize=9)
        shown = [own, *np.argsort(-found.scores[:, m], kind="stable")[:COLUMNS].tolist()]
        for place, (cell, image) in enumerate(zip(row[1:], shown, strict=False)):  # sets may have fewer images
            cell.imshow(np.asarray(data.items[image].pil().resize((160, 160))))
            cell.set_title("wanted" if place == 0 else f"{place}" + (" (wanted)" if image == own else ""), fontsize=9)
    figure.savefig(path, dpi=80)
