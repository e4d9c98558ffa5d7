"""RS-WebLI: the remote-sensing part of web-scale image/alt-text lists.

Two passes. Every unit (a tar, a row group of a parquet file) is filtered by itself: text, decoding, quality, safety,
overhead view. Units run in parallel, here or on a Ray cluster, and what is done is never done again: a unit is done
when its `parts/NAME.json` is there. Then one process merges the parts in order: near-duplicates, pictures of
evaluation sets, sentences that repeat; and writes shards and a data card.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rsvlm_core.errors import DataError, UsageError, first_line
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from training.build.alttext import clean
from training.build.card import Tally, write_card
from training.build.hashing import NEAR, HashIndex, all_orientations
from training.build.overhead import OverheadClassifier
from training.build.parts import PartWriter, begin_parts, part_name, read_part
from training.build.quality import Safety, load_safety, measure
from training.build.records import Record, Trouble, Unit, list_units, read_unit
from training.build.shardout import ShardWriter, to_json, webp
from training.data.shards import decode_image
from training.evaluate.images import list_images

_BATCH = 32
NOTES = (
    "Pictures and texts belong to those who made them: keep the urls, honour removals, and do not republish.",
    "The overhead classifier learnt from research imagery and a few dozen ground photographs and graphics.",
    "The default safety filter reads words only; it cannot see people. Give --safety for more.",
)


@dataclass(frozen=True)
class Filter:
    """What a unit is filtered by.

    Attributes:
        overhead: Least probability of an overhead view.
        quality: Least quality score.
        min_side: Least shorter side in pixels.
        max_side: Longer sides are shrunk to this.
        safety: `MODULE:FUNCTION`, or an empty string for the words-only filter.
        classifier: File of the overhead classifier, or an empty string for the one that comes with the project.
    """

    overhead: float = 0.5
    quality: float = 0.08  # meadows, deserts and water are flat and still worth having
    min_side: int = 96
    max_side: int = 512
    safety: str = ""
    classifier: str = ""


@dataclass(frozen=True)
class Merge:
    """What the parts are merged by.

    Attributes:
        near: Bits of the perceptual hash in which near-duplicates differ at most.
        same_text: How often one sentence may occur.
        per_shard: Samples in a shard.
    """

    near: int = NEAR
    same_text: int = 20
    per_shard: int = 1000


def unit_part(unit: Unit) -> str:
    """The stem of a unit's part files."""
    return part_name(f"{unit.path}#{unit.group}", unit.name)


def filter_unit(unit: Unit, parts: Path, settings: Filter, stem: str = "") -> str:
    """Filter one unit into `parts`; returns the stem of its files. Safe to run twice, or twice at once."""
    stem = stem or unit_part(unit)
    if not (parts / f"{stem}.json").is_file():
        rows: list[dict[str, Any]] = []
        with PartWriter(parts, stem, {"rows": rows}) as part:
            worker = _Worker(settings, part.tally)
            for kept in worker.run(unit):
                rows.append(_write(part, kept))
    return stem


@dataclass(frozen=True)
class _Kept:
    record: Record
    caption: str
    image: Image.Image
    quality: float
    overhead: float
    hashes: list[int]


class _Worker:
    """The filters of one process."""

    def __init__(self, settings: Filter, tally: Tally) -> None:
        self._settings, self.tally = settings, tally
        self._classifier = OverheadClassifier.load(*([Path(settings.classifier)] if settings.classifier else []))
        self._safe: Safety = load_safety(settings.safety or None)

    def run(self, unit: Unit) -> Iterator[_Kept]:
        waiting: list[tuple[Record, str, Image.Image, float]] = []
        for found in self.tally.each("read", read_unit(unit)):
            if isinstance(found, Trouble):
                self.tally.drop("read", found.reason, found.key)
                continue
            candidate = self._look(found)
            if candidate is not None:
                waiting.append(candidate)
            if len(waiting) == _BATCH:
                yield from self._overhead(waiting)
                waiting = []
        if waiting:
            yield from self._overhead(waiting)

    def _look(self, record: Record) -> tuple[Record, str, Image.Image, float] | None:
        with self.tally.step("text"):
            caption, reason = clean(record.text)
        if reason:
            self.tally.drop("text", reason, record.text)
            return None
        with self.tally.step("decode"):
            try:
                image = decode_image(record.image, record.key)
            except DataError:
                self.tally.drop("decode", "broken image", record.key)
                return None
            image.thumbnail((self._settings.max_side, self._settings.max_side), reducing_gap=2.0)
        with self.tally.step("quality"):
            seen = measure(image)
        if min(image.size) < self._settings.min_side:
            self.tally.drop("quality", "too small", f"{image.size[0]}x{image.size[1]} {caption}")
            return None
        if seen.score < self._settings.quality:
            self.tally.drop("quality", "low quality", caption)
            return None
        with self.tally.step("safety"):
            safe = self._safe(image, record.text)
        if not safe:
            self.tally.drop("safety", "unsafe")
            return None
        return record, caption, image, seen.score

    def _overhead(self, waiting: Sequence[tuple[Record, str, Image.Image, float]]) -> Iterator[_Kept]:
        with self.tally.step("overhead view", len(waiting)):
            chances = self._classifier([image for _, _, image, _ in waiting])
        for (record, caption, image, quality), chance in zip(waiting, chances, strict=True):
            if chance < self._settings.overhead:
                self.tally.drop("overhead view", "not an overhead view", caption)
                continue
            with self.tally.step("hash"):
                hashes = all_orientations(image)
            yield _Kept(record, caption, image, quality, float(chance), hashes)


def _write(part: PartWriter, kept: _Kept) -> dict[str, Any]:
    meta = {
        "captions": [kept.caption], "url": kept.record.url, "alt_text": kept.record.text, "source": "rs_webli",
        "overhead": round(kept.overhead, 4), "quality": round(kept.quality, 4), "phash": f"{kept.hashes[0]:016x}",
    }
    with part.tally.step("compress"):
        part.add({"webp": webp(kept.image), "json": to_json(meta)})
    return {"caption": kept.caption, "hashes": [f"{h:016x}" for h in kept.hashes], "key": kept.record.key}


def run_units(
    units: Sequence[Unit], parts: Path, settings: Filter, *, workers: int = 1, engine: str = "local",
    address: str | None = None, progress: Progress = silent, should_stop: ShouldStop = never,
) -> None:
    """Filter all units that are not done yet.

    Args:
        units: The work.
        parts: Folder for results; on a cluster one that all machines share.
        settings: The filters.
        workers: Processes, for the local engine.
        engine: "local" or "ray".
        address: Of the Ray cluster; None starts one here.
        progress: Called after every unit.
        should_stop: Asked between units; what is done stays.

    Raises:
        UsageError: Ray is not installed, or an unknown engine.
    """
    parts.mkdir(parents=True, exist_ok=True)
    left = [u for u in units if not (parts / f"{unit_part(u)}.json").is_file()]
    done = len(units) - len(left)
    progress(done, len(units), "units")
    if engine == "ray":
        def one_more() -> None:
            nonlocal done
            done += 1
            progress(done, len(units), "units")
            check(should_stop, "Finished units are kept: run the same command again.")

        _run_ray(left, parts, settings, address, one_more)
    elif engine != "local":
        raise UsageError(f"There is no engine {engine}.", "Use local or ray.")
    elif workers <= 1:
        for unit in left:
            check(should_stop, "Finished units are kept: run the same command again.")
            filter_unit(unit, parts, settings)
            done += 1
            progress(done, len(units), "units")
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            futures = [pool.submit(filter_unit, unit, parts, settings) for unit in left]
            try:
                for future in as_completed(futures):
                    future.result()
                    done += 1
                    progress(done, len(units), "units")
                    check(should_stop, "Finished units are kept: run the same command again.")
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    progress(len(units), len(units), "units")


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _run_ray(
    units: Sequence[Unit], parts: Path, settings: Filter, address: str | None, done: Callable[[], None]
) -> None:
    """Filter units as tasks of Ray Data; `done` is called after each."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # what is built here is nobody else's business
    try:
        import ray
        import ray.data as ray_data
    except ImportError as e:
        raise UsageError("Ray is not installed.", "pip install 'ray[data]', or use --engine local.") from e
    if not units:
        return
    mine = not ray.is_initialized()
    try:
        ray.init(address=address, ignore_reinit_error=True, include_dashboard=None if address else False)
    except Exception as e:  # a bare Exception where it takes more than 30 seconds to start
        raise UsageError(
            f"There is no Ray at {address or 'this machine'}: {first_line(e)}.",
            "Check --address, or use --engine local.") from e
    # tasks run elsewhere: in another folder, perhaps on another machine
    folder = parts.absolute()
    items = [
        {"path": os.path.abspath(u.path), "group": u.group, "images": u.images and os.path.abspath(u.images),
         "stem": unit_part(u)} for u in units]
    try:
        todo = ray_data.from_items(items, override_num_blocks=len(items))
        for _ in todo.map(lambda item: _ray_task(item, folder, settings)).iter_rows():
            done()
    finally:
        if mine:
            ray.shutdown()


def _ray_task(item: dict[str, Any], parts: Path, settings: Filter) -> dict[str, str]:
    _one_thread()
    told = dict(item)
    stem = str(told.pop("stem"))
    return {"part": filter_unit(Unit(**told), parts, settings, stem)}


def evaluation_hashes(sets: Sequence[str | Path], near: int = NEAR) -> HashIndex:
    """Hashes of evaluation images, named `SET:IMAGE`."""
    index = HashIndex(near)
    for source in sets:
        for item in list_images([source]):
            try:
                index.add(all_orientations(item.pil())[0], f"{Path(source).name}:{item.image.name}")
            except DataError:
                continue
    return index


def merge(
    units: Sequence[Unit], parts: Path, out: Path, settings: Merge, against: HashIndex, tally: Tally,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Merge the parts of all units, in order, into shards in `out`; adds to `tally`. Returns facts for the card."""
    seen, texts, contaminated = HashIndex(settings.near), Counter[str](), Counter[str]()
    words = Counter[int]()
    with ShardWriter(out, "rs_webli", settings.per_shard) as writer:
        for number, unit in enumerate(units):
            stem = unit_part(unit)
            rows = json.loads((parts / f"{stem}.json").read_text("utf-8"))["rows"]
            for row, files in zip(rows, tally.each("read again", read_part(parts, stem, tally)), strict=True):
                hashes = [int(h, 16) for h in row["hashes"]]
                with tally.step("duplicates"):
                    evaluation = against.find(hashes)
                    twin = None if evaluation else seen.find(hashes)
                if evaluation:
                    contaminated[evaluation.partition(":")[0]] += 1
                    tally.drop("duplicates", "in an evaluation set", f"{row['key']} is {evaluation}")
                    continue
                if twin:
                    tally.drop("duplicates", "near-duplicate picture", f"{row['key']} is {twin}")
                    continue
                texts[row["caption"].lower()] += 1
                if texts[row["caption"].lower()] > settings.same_text:
                    tally.drop("duplicates", "sentence repeats", row["caption"])
                    continue
                seen.add(hashes[0], row["key"])
                words[len(row["caption"].split())] += 1
                with tally.step("write"):
                    key = f"{writer.samples:08}"
                    writer.add(key, files)
            progress(number + 1, len(units), "units merged")
    lengths = list(words.elements())
    return {
        "samples": writer.samples, "shards": len(writer.paths), "distinct_sentences": len(texts),
        "words_per_caption_median": float(np.median(lengths)) if lengths else 0.0,
        "contamination": dict(contaminated),
    }


def build(
    sources: Sequence[str | Path], out: Path, *, images: Path | None = None, filters: Filter | None = None,
    merging: Merge | None = None, against: Sequence[str | Path] = (), workers: int = 1, engine: str = "local",
    address: str | None = None, progress: Progress = silent, should_stop: ShouldStop = never,
) -> dict[str, Any]:
    """Build the set; run again after a stop or a crash to go on. Returns the data card.

    Args:
        sources: Tar and parquet files, or folders of them.
        out: Folder for shards, card and, below `parts`, what is done of the first pass.
        images: Folder that image paths in parquet files are relative to.
        filters: Of the first pass. A folder that was begun with others is refused.
        merging: Of the second.
        against: Evaluation sets whose images must not be in the set.
        workers: Processes.
        engine: "local" or "ray".
        address: Of the Ray cluster.
        progress: Called after every unit.
        should_stop: Asked between units.
    """
    filters, merging = filters or Filter(), merging or Merge()
    units = list_units(sources, images)
    parts = out / "parts"
    begin_parts(parts, asdict(filters))
    run_units(units, parts, filters, workers=workers, engine=engine, address=address, progress=progress,
              should_stop=should_stop)
    tally = Tally()
    result = merge(units, parts, out, merging, evaluation_hashes(against, merging.near), tally, progress)
    classifier = OverheadClassifier.load(*([Path(filters.classifier)] if filters.classifier else []))
    return write_card(
        out, "RS-WebLI style set", tally, record=("pictures with a text", "read"), notes=NOTES,
        sources=[u.name for u in units],
        settings={**asdict(filters), **asdict(merging), "against": [Path(a).name for a in against]},
        result={**result, "overhead_classifier": classifier.facts},
    )

