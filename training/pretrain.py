"""Train a model from a recipe: `python -m training.pretrain --config FILE [--resume DIR] [key=value ...]`.

The same command under `torchrun` uses several processes. A run writes into `runs/NAME`: `state.pt` (everything that
resuming needs), `metrics.jsonl`, `curves.png`, TensorBoard events, and `stage-N.pt`, the averaged weights after each
stage. Resuming is exact: batches and dropout are functions of the step, and the optimizer and average are in the state.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from rsvlm_core.errors import RsvlmError, Stopped, UsageError
from rsvlm_core.model.config import load_config
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import Tokenizer, load_tokenizer
from rsvlm_core.scratch import write_text
from rsvlm_core.settings import cache_dir
from training import parts, sharding
from training.batches import Batches
from training.curves import draw_curves
from training.data.captions import all_sentences, general_phrases
from training.objective import Objective, Passes
from training.optim import Average, parameter_groups, schedule
from training.recipe import Recipe, load_recipe
from training.runs import STATE, Means, Metrics, copy_words, run_folder, run_parser, stop_on_signals
from training.sentences import SentenceVectors
from training.state import load_state, save_state
from training.validation import Validation, validate


def build_model(recipe: Recipe, folder: Path, batches: Batches | None) -> tuple[Mammut, Tokenizer]:
    """The recipe's model at its starting point, and its tokenizer (written into `folder` where it is a file).

    `init` may name `trunk: efficientnet-liteN`, `text: minilm`, or `run: DIR` / `weights: FOLDER` to start from,
    `teacher: minilm` for soft targets and anchor where the text tower does not start from MiniLM itself, and
    `distill: MODEL` for stages that distil from it.
    """
    config = load_config(recipe.model)
    torch.manual_seed(recipe.seed)
    model = Mammut(config)
    init = recipe.init
    if init.get("weights"):
        from rsvlm_core.model.checkpoint import load_mammut

        model, tokenizer = load_mammut(Path(init["weights"]))
        copy_words(Path(init["weights"]), folder)
        return model, tokenizer
    if init.get("text") == "minilm":
        kept = folder / "vocabulary.json"
        if kept.is_file():
            ids = json.loads(kept.read_text("utf-8"))
        else:
            texts = {s for m in (batches.metas() if batches else ()) for s in all_sentences(m)}
            ids = parts.choose_vocabulary(config.text.vocab_size, [*sorted(texts), *general_phrases()])
            parts.write_tokenizer(ids, folder / "tokenizer.json")
            write_text(kept, json.dumps(ids))  # last: a run that finds it takes the tokenizer as it is
        parts.load_minilm(model, ids)
    if init.get("trunk"):
        getattr(model.visual.trunk, "net").load_state_dict(parts.trunk_weights(init["trunk"]))  # noqa: B009
    if init.get("run"):
        source = Path(init["run"])
        model.load_state_dict(load_state(source / STATE)["average"])
        copy_words(source, folder)
    return model, load_tokenizer(config.text.tokenizer, folder)


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is computed by the hardware: processors without it emulate it, several times slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def set_training(model: nn.Module) -> None:
    """Train mode, except for batch norm, whose statistics small batches would spoil, and for what does not learn."""
    model.train()
    for module in model.modules():
        own = list(module.parameters())
        frozen = bool(own) and not any(p.requires_grad for p in own)
        if frozen or isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


class Run:
    """One training run; `train` goes on from wherever the state says.

    Args:
        recipe: What to do.
        folder: Where the run lives.
        resume: Continue from the folder's state.
    """

    def __init__(self, recipe: Recipe, folder: Path, resume: bool) -> None:
        self.recipe, self.folder, self.metrics = recipe, folder, Metrics(folder)
        self.rank = int(os.environ.get("RANK", "0"))
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        cuda = torch.cuda.is_available()
        self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
        if self.world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo")
        folder.mkdir(parents=True, exist_ok=True)
        self.main = self.rank == 0
        size = load_config(recipe.model).vision.image_size
        if self.main:  # one process builds the decoded banks and the vocabulary, the others read them
            self.batches = Batches(recipe, cache_dir() / "banks", size, self.rank, self.world)
            self.model, self.tokenizer = build_model(recipe, folder, self.batches)
        if self.world > 1:
            dist.barrier()
        if not self.main:
            self.batches = Batches(recipe, cache_dir() / "banks", size, self.rank, self.world)
            self.model, self.tokenizer = build_model(recipe, folder, self.batches)
        self.model.to(self.device)
        bf16 = {"auto": has_bf16(self.device), "bf16": True, "fp32": False}.get(recipe.precision)
        if bf16 is None:
            raise UsageError(f"precision is '{recipe.precision}', not auto, bf16 or fp32.")
        sharding.check_kind(recipe.distributed)
        self.sharded = recipe.distributed == "fsdp" and self.world > 1
        self.passes: nn.Module = Passes(self.model)
        if self.sharded:
            sharding.shard(self.passes, self.model, self.device)
        else:  # shards have to be contiguous
            self.model.visual.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective = Objective(
            self.passes, self.model, self.tokenizer, self._teacher(bf16), self.device, torch.bfloat16 if bf16 else None
        )
        if any(stage.distill_weight for stage in recipe.stages):
            from rsvlm_core.model.registry import load_encoder

            self.objective.distil = load_encoder(recipe.init["distill"], self.device.type)
        self.average = Average(self.model)
        self.stage = self.step = 0
        self.optimizer_state: dict[str, Any] | None = None
        if resume:
            self._restore(load_state(folder / STATE))
        self._pairs: Validation | None = None
        self._stop = False

    def _teacher(self, bf16: bool) -> SentenceVectors | None:
        """MiniLM's own vectors for soft targets and anchor, where the recipe starts from it or names it."""
        if "minilm" not in (self.recipe.init.get("text"), self.recipe.init.get("teacher")):
            return None
        kept = self.folder / "vocabulary.json"
        frozen = Mammut(self.model.cfg)
        parts.load_minilm(frozen, json.loads(kept.read_text("utf-8")) if kept.is_file() else None)
        text = frozen.text.eval().requires_grad_(False).to(self.device)
        length = self.model.cfg.text.context_length
        return SentenceVectors(text, self.tokenizer, length, bf16, folder=cache_dir() / "sentences")

    def _restore(self, state: dict[str, Any]) -> None:
        if state["recipe"]["stages"] != self.recipe.to_dict()["stages"][: len(state["recipe"]["stages"])]:
            print("The stages differ from those the run was started with; going on with the new ones.", file=sys.stderr)
        sharding.load_whole(self.model, state["model"])
        self.average.state = {k: sharding.like(v, self.average.state[k]) for k, v in state["average"].items()}
        self.average.updates = state["average_updates"]
        self.stage, self.step = state["stage"], state["step"]
        self.optimizer_state = state["optimizer"]
        if self.main:
            self.metrics.rewind(self.stage, self.step)

    def _save(self, optimizer: torch.optim.Optimizer | None) -> None:
        state = {
            "format": 1,
            "recipe": self.recipe.to_dict(),
            "model": sharding.whole(dict(self.model.state_dict())),
            "average": sharding.whole(self.average.state),
            "average_updates": self.average.updates,
            "stage": self.stage,
            "step": self.step,
            "optimizer": sharding.whole(optimizer.state_dict()) if optimizer else None,
        }
        if self.main:
            save_state(state, self.folder / STATE)

    def _validate(self) -> None:
        average = sharding.whole(self.average.state)  # all processes take part in gathering it
        if self.main:
            if self._pairs is None:
                self._pairs = Validation(self.recipe.validation, self.model.cfg.vision.image_size)
            model = Mammut(self.model.cfg).to(self.device) if self.sharded else self.model
            result = validate(model, average, self.tokenizer, self._pairs, self.device)
            self._log(result)
            draw_curves(self.folder)
            print("  ".join(f"{k} {v:.2f}" for k, v in result.items()), file=sys.stderr, flush=True)

    def _log(self, record: dict[str, Any]) -> None:
        if not self.main:
            return
        self.metrics.add(self.stage, self.step, record)
        if self._board is not None:
            done = sum(s.steps for s in self.recipe.stages[: self.stage]) + self.step
            for key, value in record.items():
                if isinstance(value, float):
                    self._board.add_scalar(key, value, done)

    def request_stop(self, *_: object) -> None:
        """Stop after the current step, with the state saved."""
        self._stop = True

    def train(self) -> None:
        """Run every stage that is left.

        Raises:
            Stopped: `request_stop` was called; the state is saved.
        """
        self._board = _tensorboard(self.folder) if self.main else None
        while self.stage < len(self.recipe.stages):
            if self.recipe.stages[self.stage].steps == 0:
                self.stage += 1
                self._save(None)
                continue
            self._train_stage()
            average = sharding.whole(self.average.state)
            if self.main:
                save_state({"model": average}, self.folder / f"stage-{self.stage}.pt")
                if self.objective.teacher is not None:
                    self.objective.teacher.keep()
            self.stage, self.step, self.optimizer_state = self.stage + 1, 0, None
            # The next stage starts from the averaged weights.
            self.model.load_state_dict(self.average.state)
            self.average = Average(self.model)
            self._save(None)

    def _train_stage(self) -> None:
        stage = self.recipe.stages[self.stage]
        self.batches.prepare(self.stage, self.model, cache_dir() / "features")
        optimizer = torch.optim.AdamW(parameter_groups(self.model, stage), betas=(0.9, 0.98))  # type: ignore[arg-type]
        if self.optimizer_state:
            sharding.load_optimizer(optimizer, self.optimizer_state)
        self.objective.start_stage(stage)
        if self.world > 1 and not self.sharded:
            self.objective.passes = sharding.copies(self.passes, self.device)
        learning = [p for p in self.model.parameters() if p.requires_grad]
        since, seen, means = time.monotonic(), 0, Means()
        for batch in self.batches.stream(self.stage, self.step, stage.steps):
            set_training(self.model)
            factor = schedule(self.step, stage)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
            optimizer.zero_grad(set_to_none=True)
            values = self.objective.step(
                batch, stage, seed=self.recipe.seed + 7919 * (self.stage + 1) + self.step * self.world + self.rank
            )
            values["grad"] = float(sharding.whole(nn.utils.clip_grad_norm_(learning, 1.0)))
            optimizer.step()
            self.average.update(self.model, stage.ema)
            self.step += 1
            seen += len(batch.texts)
            means.add(values)
            last = self.step == stage.steps
            if self.step % self.recipe.log_every == 0 or last:
                rate = seen / (time.monotonic() - since)
                found = means.take()
                self._log({**found, "lr": factor, "pairs_per_s": rate})
                if self.main:
                    left = (stage.steps - self.step) * stage.batch / rate
                    said = "  ".join(f"{k} {v:.3f}" for k, v in found.items())
                    print(
                        f"{stage.name} {self.step}/{stage.steps}  {said}  {rate:.0f} pairs/s  {left / 60:.0f} min left",
                        file=sys.stderr,
                        flush=True,
                    )
                since, seen = time.monotonic(), 0
            due = last or (self.recipe.eval_every and self.step % self.recipe.eval_every == 0)
            if self.recipe.validation and due:
                self._validate()
                since = time.monotonic()
            if self.step % self.recipe.save_every == 0 or last or self._stop:
                self._save(optimizer)
            if self._stop:
                raise Stopped(
                    f"Stopped at step {self.step} of stage '{stage.name}'.", f"Go on with --resume {self.folder}."
                )


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # optional: metrics.jsonl has the same numbers
        return None
    return SummaryWriter(str(folder))  # type: ignore[no-untyped-call]


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = run_parser("training.pretrain", __doc__, "a recipe in YAML", "for example stages.0.steps=50")
    args = parser.parse_intermixed_args(argv)
    try:
        recipe = load_recipe(args.config, args.overrides)
        run = Run(recipe, run_folder(args, recipe.name), resume=args.resume is not None)
        stop_on_signals(run)
        run.train()
    except RsvlmError as error:
        print(f"training.pretrain: {error}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        at = f" {error.filename}" if error.filename else ""
        print(
            f"training.pretrain: a file{at} cannot be read or written: {error.strerror or error}. Free some space; "
            "what was saved is whole, and the same command with --resume goes on.",
            file=sys.stderr,
        )
        return 2
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
