"""Train a model on its own smoothed attention maps: `python -m training.localize --config FILE [--resume DIR]`.

Rounds as METHODS section 3.4 reconstructs them. The teacher (the average of the weights) marks where in unlabelled
images the recipe's classes are, the student learns from the marks that hold in all eight orientations, and its average
makes the next round's. No pixel label is used anywhere; the image-level loss on image-text pairs keeps retrieval.

A run writes into `runs/NAME`: `state.pt`, `metrics.jsonl` (every round measured), `labels-R.npz`, `round-R.pt`. It
keeps the best round: the start, where none helped. `training.export` takes the folder.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsvlm_core.errors import RsvlmError, Stopped, UsageError
from rsvlm_core.model.vision import TimmTrunk
from rsvlm_core.settings import cache_dir
from training.bank import ImageBank
from training.batches import Batch, Batches
from training.localize.labels import Int8, Prompts, changes, coverage, gate, make_labels, teacher_maps
from training.localize.losses import region_loss, token_loss
from training.localize.measure import Dev, better_everywhere
from training.localize.recipe import LocalizeRecipe
from training.localize.start import load_start
from training.localize.views import VIEWS, Scenes, tokens_of, turned
from training.losses import multi_positive_info_nce, row_normalise
from training.optim import Average, parameter_groups, schedule
from training.pretrain import set_training
from training.recipe import Recipe, Stage
from training.runs import STATE, Means, Metrics, run_folder, run_parser, stop_on_signals
from training.sentences import SentenceVectors
from training.state import load_state, save_state


class Rounds:
    """One run; `train` goes on from wherever the state says.

    Args:
        recipe: What to do.
        folder: Where the run lives.
        resume: Continue from the folder's state.
    """

    def __init__(self, recipe: LocalizeRecipe, folder: Path, resume: bool) -> None:
        self.recipe, self.folder, self.metrics = recipe, folder, Metrics(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.model, self.tokenizer, before = load_start(Path(recipe.run), folder)
        cached = isinstance(self.model.visual.trunk, TimmTrunk)
        self.stage = self._stage(cached, before["recipe"])
        self.batches = Batches(
            Recipe(
                name=recipe.name, model=before["recipe"]["model"], sets=dict(recipe.sets), stages=[self.stage],
                seed=recipe.seed, feature_seed=int(before["recipe"].get("feature_seed", 1)),
            ),
            cache_dir() / "banks", self.model.cfg.vision.image_size,
        )  # fmt: skip
        # What training.export and the model card read: all that the weights have seen.
        self.about = {
            **before["recipe"],
            "sets": {**self.batches.recipe.to_dict()["sets"], **before["recipe"]["sets"]},
            "stages": [*before["recipe"]["stages"], self.batches.recipe.to_dict()["stages"][0]],
        }
        self.batches.prepare(0, self.model, cache_dir() / "features")
        known, place = self.batches.banks, cache_dir() / "banks"
        banks = {n: known[n] if n in known else ImageBank(recipe.sets[n], place) for n in recipe.scenes}
        self.scenes = Scenes(
            self.model, banks, recipe.scenes, recipe.size, recipe.zoom, recipe.colour, cache_dir() / "features",
            recipe.seed,
        )  # fmt: skip
        self.prompts = Prompts.of(recipe, self.model, self.tokenizer)
        self.dev = Dev(recipe, self.model.cfg.vision.image_size)
        self.bias = nn.Parameter(torch.zeros(()))
        self.average = Average(self.model)
        self.round = self.step = 0
        self.best = 0
        self.done = False
        self.areas: list[float] = []
        self.measured: list[dict[str, float]] = []
        self.optimizer_state: dict[str, Any] | None = None
        self._sentences = SentenceVectors(self.model.text, self.tokenizer, self.model.cfg.text.context_length)
        self._stop = False
        if resume:
            self._restore(load_state(folder / STATE))

    def _stage(self, cached: bool, before: dict[str, Any]) -> Stage:
        lower = ["visual.trunk.net.conv_stem", "visual.trunk.net.bn1"] if cached else []
        lower += [f"visual.trunk.net.blocks.{i}." for i in range(5)] if cached else []
        r = self.recipe
        # As many views as the run had that this one starts from: its cache is then used again.
        views = max([2, *(int(s.get("cached_views", 0)) for s in before["stages"][-1:])])
        return Stage(
            name="localize", steps=r.steps, batch=r.pair_batch, mixture=dict(r.pairs),
            freeze=["text.", "logit_scale", "visual.dense.", *lower], lr={"text": 0.0, "scale": 0.0, **r.lr},
            caption_weight=0.0, anchor_weight=0.0, soft_weight=0.0, ema=r.ema, max_scale=r.max_scale,
            cached_views=views if cached else 0, cached_texts=8,
        )  # fmt: skip

    # ---- state -------------------------------------------------------------------------------------------------

    def _save(self, optimizer: torch.optim.Optimizer | None) -> None:
        save_state(
            {
                "format": 1, "recipe": self.about, "localize": self.recipe.to_dict(),
                "model": self.model.state_dict(), "average": self.average.state,
                "average_updates": self.average.updates, "bias": self.bias.detach(), "round": self.round,
                "step": self.step, "best": self.best, "done": self.done, "areas": self.areas,
                "measured": self.measured, "optimizer": optimizer.state_dict() if optimizer else None,
            },
            self.folder / STATE,
        )  # fmt: skip

    def _restore(self, state: dict[str, Any]) -> None:
        if "localize" not in state:
            raise UsageError(f"{self.folder} is no run of training.localize.", "Name one, or leave --resume out.")
        self.model.load_state_dict(state["model"])
        self.average.state, self.average.updates = state["average"], state["average_updates"]
        self.bias.data.copy_(state["bias"])
        self.round, self.step, self.best, self.done = state["round"], state["step"], state["best"], state["done"]
        self.areas, self.measured = list(state["areas"]), list(state["measured"])
        self.optimizer_state = state["optimizer"]
        # A round that has not begun is told from its labels on.
        self.metrics.rewind(self.round, self.step if self.step or self.done else -1)

    def _log(self, record: dict[str, Any]) -> None:
        self.metrics.add(self.round, self.step, record)

    def request_stop(self, *_: object) -> None:
        """Stop after the current step, with the state saved."""
        self._stop = True

    # ---- rounds ------------------------------------------------------------------------------------------------

    def train(self) -> dict[str, float]:
        """Run the rounds that are left; returns what was measured of the round that is kept.

        Raises:
            Stopped: `request_stop` was called; the state is saved.
        """
        if not self.measured:
            self.measured.append(self.dev.measure(self.model, self.tokenizer))
            self._log({"round": 0, **self.measured[0]})
            _say("start", self.measured[0])
            save_state({"model": self.average.state}, self.folder / "round-0.pt")
            self.round = 1
            self._save(None)
        while not self.done:
            labels, why = self._labels()
            if why is None:
                self._train_round(labels)
                why = self._judge()
            if why is not None:
                self._finish(why)
        return self.measured[self.best]

    def _labels(self) -> tuple[Int8, str | None]:
        """This round's labels, and why to stop before it, or None."""
        path = self.folder / f"labels-{self.round}.npz"
        if self.step == 0:
            teacher = copy.deepcopy(self.model)
            teacher.load_state_dict(self.average.state)
            r = self.recipe
            maps = teacher_maps(teacher, self.scenes, self.prompts, r.window, r.bias)
            labels = make_labels(maps, gate(maps.whole, self.prompts.classes, r.gate_margin, r.gate_top), r)
            np.savez_compressed(path, labels=labels)
            told = coverage(labels)
            previous = self.folder / f"labels-{self.round - 1}.npz"
            if previous.is_file():
                told["flips"] = changes(np.load(previous)["labels"], labels)
            self._log({"round": self.round, **told})
            _say(f"round {self.round} labels", told)
            self.areas = [*self.areas[: self.round - 1], told["mean_area"]]
            if told["masks"] == 0:
                return labels, "the teacher is sure of nothing: no mask passed the filters"
            if told.get("flips", 1.0) < self.recipe.min_flips:
                return labels, f"only {100 * told['flips']:.1f} % of the token labels changed"
            if _drifts(self.areas):
                return labels, f"the mean mask area drifts: {', '.join(f'{a:.3f}' for a in self.areas)}"
            return labels, None
        labels = np.load(path)["labels"]
        return labels, None

    def _train_round(self, labels: Int8) -> None:
        r, stage = self.recipe, self.stage
        groups = parameter_groups(self.model, stage)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and name.startswith(tuple(r.learn)))
        kept = [{**g, "params": [p for p in g["params"] if p.requires_grad]} for g in groups]  # type: ignore[attr-defined]
        kept = [g for g in kept if g["params"]]
        if not kept:
            raise UsageError(f"Nothing learns: no parameter begins with {', '.join(r.learn)}.")
        peak = max(float(g["peak"]) for g in kept)  # type: ignore[arg-type]
        kept.append({"params": [self.bias], "lr": peak, "peak": 100 * peak, "weight_decay": 0.0})
        optimizer = torch.optim.AdamW(kept, betas=(0.9, 0.98))  # type: ignore[arg-type]
        if self.optimizer_state and self.step:
            optimizer.load_state_dict(self.optimizer_state)
        learning = [p for g in kept for p in g["params"]]  # type: ignore[attr-defined]
        usable = np.flatnonzero((labels >= 0).any(axis=(1, 2, 3)))
        means = Means()
        first = (self.round - 1) * r.steps
        for batch in self.batches.stream(0, first + self.step, first + r.steps):
            set_training(self.model)
            self.model.text.eval()  # frozen: its dropout would only blur the targets
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * schedule(self.step, stage)
            optimizer.zero_grad(set_to_none=True)
            torch.manual_seed(r.seed * 1_000_003 + first + self.step)
            rng = np.random.default_rng([r.seed, self.round, self.step])
            loss_image = self._image_loss(batch)
            loss_region, loss_token = self._scene_losses(labels, usable, rng)
            (loss_image + r.region_weight * loss_region + r.pixel_weight * loss_token).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            self.average.update(self.model, r.ema)
            self.step += 1
            losses = {"loss_image": loss_image, "loss_region": loss_region, "loss_token": loss_token}
            means.add({name: loss.item() for name, loss in losses.items()})
            last = self.step == r.steps
            if self.step % r.log_every == 0 or last:
                told = means.take()
                self._log(told)
                _say(f"round {self.round} step {self.step}/{r.steps}", told)
            if self.step % r.save_every == 0 or self._stop:
                self._save(optimizer)
            if self._stop:
                raise Stopped(
                    f"Stopped at step {self.step} of round {self.round}.", f"Go on with --resume {self.folder}."
                )

    def _image_loss(self, batch: Batch) -> Tensor:
        """`L_img`: multi-positive InfoNCE; sentences are read once, since the text tower is frozen."""
        sentences = self._sentences(batch.texts, torch.device("cpu"))
        z_text = F.normalize(self.model.text.project(sentences).float(), dim=-1)
        tokens = tokens_of(self.model, batch.images)
        z_image = F.normalize(self.model.visual.pool(tokens.flatten(1, 2)).float(), dim=-1)
        logits = self.prompts.scale * z_image @ z_text.t()
        wanted = row_normalise(batch.positives), row_normalise(batch.positives.t())
        return multi_positive_info_nce(logits, *wanted, batch.neutral)

    def _scene_losses(self, labels: Int8, usable: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """`L_reg` and `L_pix` of random scenes, each in a random orientation."""
        picks, views = rng.choice(usable, self.recipe.scene_batch), rng.integers(VIEWS, size=self.recipe.scene_batch)
        tokens = tokens_of(self.model, self.scenes.read(picks, views))
        wanted = torch.stack([turned(torch.from_numpy(labels[i]), int(v)) for i, v in zip(picks, views, strict=True)])
        smooth = F.normalize(self.model.visual.pool.smooth(tokens, self.recipe.window), dim=-1)
        return (
            region_loss(self.model.visual.pool, tokens, wanted, self.prompts),
            token_loss(smooth, wanted, self.prompts, self.bias),
        )

    def _judge(self) -> str | None:
        """Measure the round that has just ended and go on to the next; why to stop, or None."""
        student = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.state)
        found = self.dev.measure(self.model, self.tokenizer)
        self.model.load_state_dict(student)
        start, before = self.measured[0], self.measured[self.best]
        lost = start.get("mean_recall", 0.0) - found.get("mean_recall", 0.0)
        helped = found.get("iou", 0.0) > before.get("iou", 0.0) and lost <= self.recipe.max_recall_loss
        everywhere = better_everywhere(start, found, self.dev, "iou")
        self.measured.append(found)
        self._log({"round": self.round, "helped": helped, "better_on_every_set": everywhere, **found})
        _say(f"round {self.round} {'helped' if helped else 'did not help'}", found)
        save_state({"model": self.average.state}, self.folder / f"round-{self.round}.pt")
        why = None
        if helped:
            self.best = self.round
        elif lost > self.recipe.max_recall_loss:
            why = f"round {self.round} cost {lost:.1f} points of mean recall"
        elif self.recipe.dev:
            why = f"round {self.round} lost IoU on the dev sets"
        if not self.recipe.dev and not self.recipe.validation:
            self.best = self.round  # nothing to judge by
        self.round, self.step, self.optimizer_state = self.round + 1, 0, None
        if why is None and self.round > self.recipe.rounds:
            why = "all rounds are done"
        self._save(None)
        return why

    def _finish(self, why: str) -> None:
        """Keep the best round."""
        best = load_state(self.folder / f"round-{self.best}.pt")["model"]
        self.model.load_state_dict(best)
        self.average.state = best
        self.done = True
        self._log({"kept": self.best, "why": why})
        self._save(None)
        kept = f"round {self.best}" if self.best else "the start: no round helped"
        print(f"Stopped because {why}. Kept {kept}.", file=sys.stderr, flush=True)


def _drifts(areas: Sequence[float]) -> bool:
    """Whether the mean mask area of the last four rounds of labels only grew or only shrank, by a fifth in all."""
    if len(areas) < 4:
        return False
    last = np.array(areas[-4:])
    steps = np.diff(last)
    return bool((steps > 0).all() or (steps < 0).all()) and abs(last[-1] - last[0]) > 0.2 * last[0]


def _say(what: str, values: dict[str, float]) -> None:
    told = "  ".join(f"{k} {v:.3f}" for k, v in values.items())
    print(f"{what}: {told}", file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = run_parser(
        "training.localize", __doc__, "a recipe, such as training/configs/localize.yaml",
        "for example run=runs/small-upper rounds=2",
    )  # fmt: skip
    args = parser.parse_intermixed_args(argv)
    try:
        recipe = LocalizeRecipe.load(args.config, args.overrides)
        run = Rounds(recipe, run_folder(args, recipe.name), resume=args.resume is not None)
        stop_on_signals(run)
        found = run.train()
        print(json.dumps({"kept_round": run.best, **found}))
    except RsvlmError as error:
        print(f"training.localize: {error}", file=sys.stderr)
        return error.exit_status
    return 0
