"""Align pixels or images with what is known on the ground: `python -m training.align_ground --config FILE`.

GRAFT (METHODS section 4) aligns a remote-sensing encoder with co-located ground photos, at the image and at the pixel.
Two kinds of ground truth are understood here, in one frozen target space:

- tags: map classes, boxed objects and scene names stand in for photos; the target is the frozen text vector of a
  phrase (`level: pixel` with `concepts` and `tags` in the recipe). This is how the bundled model's pixel head is made.
- photos: WebDataset shards from `training.build ground_pairs`, each sample an image with `photos` in its JSON: vectors
  of the frozen ground encoder and where each photo stands (`level: image`, `pixel`, or `both`).

Only the parts named in `learn` learn. The result is a run folder that `training.export` takes.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from rsvlm_core.errors import DataError, RsvlmError, UsageError
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import Tokenizer
from rsvlm_core.settings import cache_dir
from training.augment import colour, random_view, take_views
from training.bank import ImageBank
from training.curves import draw_curves
from training.localize.start import load_start
from training.losses import ground_alignment
from training.recipe import SetSpec
from training.runs import STATE, Metrics
from training.state import save_state
from training.tag_batches import TagBatch, TagBatches
from training.tags import Concepts, TagRule, tag_loss


@dataclass(frozen=True)
class AlignRecipe:
    """A recipe of this program; see training/configs/pixels.yaml.

    Attributes (those of photos; the others as there):
        run: A run's folder, or a model's folder, to start from.
        cached_batches: Of tagged views, kept as the frozen trunk's maps (`tag_batches`).
        balance: Of tagged cells, 1 for concepts that count the same, 0 for cells that do (`tag_loss`).
        temperature: tau of the loss.
        mask_siblings: Take the other photos of an image out of the denominator.
        jitter_m: Each photo's place is moved by up to so many metres in every step, as positions of cameras are off.
    """

    name: str
    run: str
    steps: int
    sets: dict[str, SetSpec]
    mixture: dict[str, int]
    level: str = "pixel"
    concepts: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, TagRule] = field(default_factory=dict)
    learn: tuple[str, ...] = ("visual.dense.",)
    size: int = 256
    cached_batches: int = 0
    lr: float = 2e-3
    weight_decay: float = 0.02
    scale: float | None = None
    balance: float = 1.0
    temperature: float = 0.07
    mask_siblings: bool = False
    jitter_m: float = 0.0
    zoom: tuple[float, float] = (0.4, 1.2)
    average: float = 0.99
    seed: int = 0

    @classmethod
    def load(cls, path: Path, overrides: list[str]) -> AlignRecipe:
        """Read YAML and `key=value` overrides.

        Raises:
            UsageError: Unknown fields or an unreadable file.
        """
        try:
            raw = yaml.safe_load(path.read_text("utf-8"))
            for item in overrides:
                key, equals, value = item.partition("=")
                if not equals or key not in cls.__dataclass_fields__:
                    raise UsageError(f"'{item}' is not key=value with a key of the recipe.")
                raw[key] = yaml.safe_load(value)
            raw["sets"] = {k: SetSpec(**v) for k, v in raw["sets"].items()}
            raw["tags"] = {k: TagRule(**v) for k, v in raw.get("tags", {}).items()}
            raw["learn"] = tuple(raw.get("learn", cls.learn))
            raw["zoom"] = tuple(raw.get("zoom", cls.zoom))
            return cls(**raw)
        except (OSError, ValueError, RecursionError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f"The recipe {path} cannot be used: {error}.") from None


class PhrasePool:
    """Frozen text vectors of every concept's phrases."""

    @torch.no_grad()
    def __init__(self, model: Mammut, tokenizer: Tokenizer, concepts: Concepts) -> None:
        self.vectors = []
        for phrases in concepts.phrases:
            tokens = tokenizer(phrases, model.cfg.text.context_length)
            self.vectors.append(model.encode_text(tokens.ids, tokens.valid))

    def draw(self, rng: np.random.Generator) -> Tensor:
        """[C, D]: one random phrase of each concept."""
        return torch.stack([v[int(rng.integers(len(v)))] for v in self.vectors])


def tag_step(
    model: Mammut, batch: TagBatch, vectors: Tensor, overlaps: Tensor, scale: float, balance: float = 1.0
) -> Tensor:
    """The loss of a tagged batch."""
    if batch.maps is None:
        pixels = model.visual.pixels(model.visual.normalise(batch.images).contiguous(memory_format=torch.channels_last))
    else:
        assert model.visual.dense is not None
        dense = model.visual.dense([m.float().contiguous(memory_format=torch.channels_last) for m in batch.maps])
        pixels = torch.nn.functional.normalize(dense.permute(0, 2, 3, 1), dim=-1)
    logits = scale * pixels @ vectors.t()
    total = logits.new_zeros(())
    for weight in torch.unique(batch.weights).tolist():
        rows = batch.weights == weight
        tags = batch.allowed[rows], batch.main[rows]
        cost = tag_loss(logits[rows], *tags, overlaps, batch.rivals[rows], batch.most[rows], balance)
        total = total + weight * rows.float().mean() * cost
    return total


def photo_step(model: Mammut, bank: ImageBank, rng: np.random.Generator, recipe: AlignRecipe) -> Tensor:
    """The loss of a batch of images with ground photos, at the image, the pixel, or both."""
    picks = rng.integers(len(bank), size=sum(recipe.mixture.values()))
    views = [random_view(rng, 1.0, True, 0.8, 1.0) for _ in picks]
    images = colour(take_views(np.stack([bank.images[i] for i in picks]), views, recipe.size), rng, 1.0)
    remote_of, ground, where = [], [], []
    for row, (i, view) in enumerate(zip(picks, views, strict=True)):
        inverse = np.linalg.inv(np.vstack([view.matrix(), [0, 0, 1]]))
        side_m = float(bank.meta[i].get("gsd_m") or 1.0) * min(bank.meta[i]["_size"])
        for photo in bank.meta[i].get("photos", ()):
            off = rng.uniform(-1, 1, 2) * recipe.jitter_m / side_m
            # The photo's place in the view: every geometric augmentation moves it too.
            x, y, _ = inverse @ [2 * (photo["x"] + off[0]) - 1, 2 * (photo["y"] + off[1]) - 1, 1]
            if abs(x) < 1 and abs(y) < 1:
                remote_of.append(row)
                ground.append(photo["vector"])
                where.append((x, y))
    if not ground:
        raise DataError("A batch holds no ground photos.", "Build the set with training.build ground_pairs.")
    owner = torch.tensor(remote_of)
    target = torch.nn.functional.normalize(torch.tensor(ground, dtype=torch.float32), dim=-1)
    if target.shape[1] != model.cfg.embed_dim:
        raise UsageError(
            f"The photos' vectors have {target.shape[1]} numbers, the model's {model.cfg.embed_dim}.",
            "Start from a model whose embed_dim is that of the ground encoder.",
        )
    x = model.visual.normalise(images).contiguous(memory_format=torch.channels_last)
    tokens, maps = model.visual.grid(x)
    loss = torch.zeros(())
    if recipe.level in ("image", "both"):
        pooled = torch.nn.functional.normalize(model.visual.pool(tokens.flatten(1, 2)).float(), dim=-1)
        loss = loss + ground_alignment(pooled[owner], target, owner, recipe.temperature, recipe.mask_siblings)
    if recipe.level in ("pixel", "both"):
        if model.visual.dense is None:
            raise UsageError("This model has no pixel head.", "Start from one with dense_width, or choose level=image.")
        grid = torch.nn.functional.normalize(model.visual.dense(maps).float(), dim=1)[owner]
        at = torch.tensor(where, dtype=torch.float32).view(-1, 1, 1, 2)
        vectors = torch.nn.functional.grid_sample(grid, at, align_corners=False, padding_mode="border")[..., 0, 0]
        vectors = torch.nn.functional.normalize(vectors, dim=-1)
        loss = loss + ground_alignment(vectors, target, owner, recipe.temperature, recipe.mask_siblings)
    return loss


def align(recipe: AlignRecipe, folder: Path) -> None:
    """Run a recipe; writes `state.pt`, `metrics.jsonl`, `curves.png`."""
    if recipe.level not in ("pixel", "image", "both"):
        raise UsageError(f"level is '{recipe.level}', not pixel, image or both.")
    folder.mkdir(parents=True, exist_ok=True)
    model, tokenizer, state = load_start(Path(recipe.run), folder)
    model.eval().requires_grad_(False)
    learning = [p for n, p in model.named_parameters() if n.startswith(recipe.learn)]
    if not learning:
        raise UsageError(f"Nothing learns: no parameter begins with {', '.join(recipe.learn)}.")
    for parameter in learning:
        parameter.requires_grad_(True)
    torch.manual_seed(recipe.seed)
    scale = recipe.scale or float(model.logit_scale.exp())
    optimizer = torch.optim.AdamW(learning, lr=recipe.lr, weight_decay=recipe.weight_decay, betas=(0.9, 0.98))
    average = [p.detach().clone() for p in learning]
    tagged = bool(recipe.tags)
    if tagged:
        concepts = Concepts.from_dict(recipe.concepts)
        batches = TagBatches(recipe.sets, recipe.tags, recipe.mixture, concepts, recipe.seed, recipe.size, recipe.zoom)
        frozen = not any(p.requires_grad for p in model.visual.trunk.parameters())
        batches.prepare(model, recipe.cached_batches if frozen else 0)
        pool = PhrasePool(model, tokenizer, concepts)
        overlaps = torch.from_numpy(concepts.overlaps)
    else:
        bank = ImageBank(next(iter(recipe.sets.values())), cache_dir() / "banks")
    started, recent = time.monotonic(), []
    metrics = Metrics(folder)
    metrics.rewind(0, 0)
    for step in range(recipe.steps):
        rng = np.random.default_rng([recipe.seed, step, 1])
        factor = min(1.0, (step + 1) / max(1, recipe.steps // 20)) * 0.5 * (1 + np.cos(np.pi * step / recipe.steps))
        optimizer.param_groups[0]["lr"] = recipe.lr * max(factor, 0.01)
        optimizer.zero_grad(set_to_none=True)
        loss = (
            tag_step(model, batches(step), pool.draw(rng), overlaps, scale, recipe.balance)
            if tagged
            else photo_step(model, bank, rng, recipe)
        )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        recent.append(loss.item())
        decay = min(recipe.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for kept, p in zip(average, learning, strict=True):
                kept.lerp_(p, 1 - decay)
        if (step + 1) % 20 == 0 or step + 1 == recipe.steps:
            mean = float(np.mean(recent[-20:]))
            metrics.add(0, step + 1, {"loss": mean})
            left = (time.monotonic() - started) / (step + 1) * (recipe.steps - step - 1) / 60
            print(
                f"{recipe.name} {step + 1}/{recipe.steps}  loss {mean:.3f}  {left:.1f} min left",
                file=sys.stderr,
                flush=True,
            )
    with torch.no_grad():
        for kept, p in zip(average, learning, strict=True):
            p.copy_(kept)
    state["average"] = state["model"] = model.state_dict()
    state["aligned"] = {"name": recipe.name, "level": recipe.level, "sets": sorted(recipe.sets), "steps": recipe.steps}
    save_state(state, folder / STATE)
    draw_curves(folder)


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.align_ground",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", type=Path, required=True, help="a recipe in YAML, such as training/configs/pixels.yaml"
    )
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example steps=50 run=runs/small")
    args = parser.parse_args(argv)
    try:
        recipe = AlignRecipe.load(args.config, args.overrides)
        align(recipe, args.out or Path("runs") / recipe.name)
    except RsvlmError as error:
        print(f"training.align_ground: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
