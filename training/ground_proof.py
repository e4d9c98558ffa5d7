"""Show that ground alignment learns, from real imagery: `python -m training.ground_proof --out runs/ground_proof`.

There are no geotagged photographs here. In their place stand close-ups: crops of the same imagery around known points,
turned by any angle, tilted, with other colours and light, seen by a frozen encoder (`--ground-model`). The student is
a trunk with ImageNet weights whose heads start at random. It sees tiles from far above, no text and no label; what it
learns of words comes only through the encoder of the close-ups, whose text side it shares.

Everything is done with the commands of users: a mosaic and a table of positions go through `training.build
ground_pairs`, and training is `training.align_ground` at both levels. Places of training and of testing are other
images. Three sets (`training.ground_scenes`):

- landmarks: photographers stand at airplanes, roads, water and parks, and away from them; at each landmark of a tile
  there is also a sign, a sentence's vector in place of a photograph's. What lies where is known, so the pixel level and
  the image level can be compared on finding it: by an unseen close-up, and by a word.
- fine, coarse: photographers stand anywhere, at two resolutions: retrieval across the bridge. Where in its tile a
  close-up was taken is not a measure of either level here: most tiles look alike all over, and the ground encoder
  itself (`pointing_ground_encoder`) seldom finds it.

With `--shown`, zero-shot classification, retrieval, segmentation and question answering follow.

What this can show: that several photographs an image, positions, both losses and the text path work. What it cannot:
that views from the ground, of walls and shop fronts, teach as much as views from above. Results: docs/data.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import maximum_filter

from rsvlm_core.errors import RsvlmError, UsageError
from rsvlm_core.model.checkpoint import load_mammut, save_mammut
from rsvlm_core.model.config import load_config
from rsvlm_core.model.encoder import Encoder, Float32, UInt8
from rsvlm_core.model.folder import Card
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.registry import load_encoder
from rsvlm_core.scratch import scratch
from rsvlm_core.settings import data_dir, weights_dir
from training import ground_scenes, parts
from training.align_ground import AlignRecipe, align
from training.bank import centre_square
from training.build import ground_pairs
from training.data.shards import Sample, read_samples
from training.evaluate import classification, retrieval, segmentation, vqa
from training.evaluate.images import square
from training.evaluate.pixels import ScorePool, upsample
from training.evaluate.table import show, write_json
from training.export import load_run
from training.ground_scenes import CELL, GSD, KINDS, SIGNS, WORDS
from training.recipe import SetSpec

TRAIN = ("rsicd/train-*.tar", "maps/train-*.tar")
TEST = ("rsicd/val-000.tar", "maps/dev.tar")
# Sets: metres a pixel and pixels of a tile. Coarse tiles are 2 x 2 scenes at a quarter of the resolution.
TILES = {"landmarks": (GSD, CELL), "fine": (GSD, CELL), "coarse": (4 * GSD, CELL // 2)}
_NEAR = 4  # pixels beside a landmark that still count as on it


@dataclass(frozen=True)
class Size:
    """How much: scenes of 224 pixels to learn from and to test on, close-ups, steps, images a step, trunk.

    Attributes:
        photos: Close-ups of a scene; in landmarks, of each kind in a scene.
        sets: Which of landmarks, fine, coarse.
        shown: Images for the zero-shot measurements at the end; 0 leaves them out.
        looked: Tiles of fine whose close-ups the ground encoder itself looks for; 0 leaves that out.
    """

    train: int = 400
    test: int = 144
    photos: int = 2
    steps: int = 300
    batch: int = 16
    trunk: str = "efficientnet-lite0"
    sets: str = "landmarks,fine,coarse"
    shown: int = 100
    looked: int = 24


class Remembering:
    """An encoder that does not look at the same image twice; both resolutions have the same close-ups."""

    def __init__(self, inner: Encoder) -> None:
        self.info, self._inner = inner.info, inner
        self._seen: dict[bytes, Float32] = {}

    def encode_images(self, images: UInt8) -> Float32:
        """As of the encoder inside."""
        keys = [hashlib.sha256(i.tobytes()).digest() for i in images]
        new = [n for n, k in enumerate(keys) if k not in self._seen]
        if new:
            vectors = self._inner.encode_images(images[new])
            self._seen.update({keys[n]: v for n, v in zip(new, vectors, strict=True)})
        return np.stack([self._seen[k] for k in keys])

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """As of the encoder inside."""
        return self._inner.encode_texts(texts)

    def encode_patches(self, images: UInt8, method: str = "smooth") -> Float32:
        """As of the encoder inside."""
        return self._inner.encode_patches(images, method)

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        """As of the encoder inside."""
        return self._inner.caption(images, prompt)


def student(folder: Path, trunk: str, teacher: Path) -> Path:
    """A model's folder: ImageNet trunk, heads at random, and the frozen text side of the ground encoder."""
    ground, _ = load_mammut(teacher)
    vision = dataclasses.replace(
        load_config("small").vision, timm_model_name="tf_" + trunk.replace("-", "_", 1).replace("-lite", "_lite")
    )
    torch.manual_seed(0)
    model = Mammut(dataclasses.replace(ground.cfg, vision=vision))
    getattr(model.visual.trunk, "net").load_state_dict(parts.trunk_weights(trunk))  # noqa: B009
    model.text.load_state_dict(ground.text.state_dict())
    with torch.no_grad():
        model.logit_scale.copy_(ground.logit_scale)
    save_mammut(model, folder, Card("student", "", "close-ups"), teacher / "tokenizer.json", int8=False)
    return folder


@dataclass(frozen=True)
class Seen:
    """A test tile, and what a model sees in it: the pooled vector, and unit vectors by cell of each way to read it."""

    sample: Sample
    pooled: Float32
    maps: dict[str, Float32]


@torch.no_grad()
def seen_by(model: Mammut, shards: Path, size: int) -> list[Seen]:
    """Test tiles through a model: `pixel`, the pixel head, and the image level.

    The image level has no places of its own; it is read as well as we know how: the pooled vector's own attention in
    windows of tokens, token by token, and in windows on the tile at twice its size.
    """
    seen, visual = [], model.visual
    for sample, image in tiles_of(shards, size):
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255.0
        large = torch.nn.functional.interpolate(pixels, scale_factor=2.0, mode="bicubic").clamp(0, 1)
        tokens, maps = visual.grid(visual.normalise(pixels))
        finer, _ = visual.grid(visual.normalise(large))
        if visual.dense is None:
            raise UsageError("The student has no pixel head.")
        raw = {
            "pixel": visual.dense(maps).permute(0, 2, 3, 1),
            "image_windows": visual.pool.smooth(tokens, 3),
            "image_tokens": visual.pool.smooth(tokens, 1),
            "image_enlarged": visual.pool.smooth(finer, 3),
        }
        pooled = torch.nn.functional.normalize(visual.pool(tokens.flatten(1, 2)).float(), dim=-1)
        seen.append(
            Seen(
                sample,
                pooled[0].numpy(),
                {name: torch.nn.functional.normalize(grid.float(), dim=-1)[0].numpy() for name, grid in raw.items()},
            )
        )
    return seen


def tiles_of(shards: Path, size: int) -> list[tuple[Sample, UInt8]]:
    """Test tiles with their pixels."""
    return [
        (s, np.asarray(centre_square(s.pil(), size, Image.Resampling.BICUBIC)))
        for s in read_samples(sorted(shards.glob("test-*.tar")))
    ]


def bridge(tiles: Sequence[Seen]) -> dict[str, float]:
    """Retrieval across the bridge on unseen pairs, in percent: the close-up's own tile among all, by the pooled vector.

    Also how often the best cell of that tile lies within an eighth of its side of where the close-up was taken.
    """
    vectors, owner = list[Float32](), list[int]()
    near: dict[str, list[float]] = defaultdict(list)
    inside = np.random.default_rng(0).random((4000, 2))
    for n, tile in enumerate(tiles):
        for photo in tile.sample.meta["photos"]:
            if "sign" in photo:  # the same wherever it stands
                continue
            z, at = np.asarray(photo["vector"], np.float32), np.array([photo["x"], photo["y"]])
            vectors.append(z)
            owner.append(n)
            for name, grid in tile.maps.items():
                row, col = np.unravel_index(int((grid @ z).argmax()), grid.shape[:2])
                best = (col + 0.5) / grid.shape[1], (row + 0.5) / grid.shape[0]
                near[name].append(float(np.hypot(*(best - at)) <= 0.125))
            near["chance"].append(float((np.hypot(*(inside - at).T) <= 0.125).mean()))
    of = np.asarray(owner)
    scores = np.stack(vectors) @ np.stack([t.pooled for t in tiles]).T
    ahead = (scores > scores[np.arange(len(of)), of][:, None]).sum(1)
    return {
        "photos": float(len(of)),
        "tiles": float(len(tiles)),
        **{f"retrieval_r{k}": 100 * float((ahead < k).mean()) for k in (1, 10)},
        **{f"retrieval_r{k}_chance": 100 * min(1.0, k / len(tiles)) for k in (1, 10)},
        **{f"pointing_{name}": 100 * float(np.mean(hits)) for name, hits in near.items()},
    }


def looked_for(ground: Encoder, tiles: Sequence[tuple[UInt8, Sequence[Mapping[str, Any]]]]) -> float:
    """How often the ground encoder itself finds where in a tile a close-up was taken, in percent.

    It looks at crops of 80 pixels around 7 x 7 points of the tile: what a student of it can hardly be asked to beat.

    Args:
        ground: The encoder.
        tiles: Pixels of tiles, and their photographs with `x`, `y`, `vector`.
    """
    centres, reach, hits = (np.arange(7) + 0.5) / 7, 40, list[bool]()
    for image, photos in tiles:
        padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
        corners = (centres * len(image)).astype(int)
        crops = [padded[y : y + 2 * reach, x : x + 2 * reach] for y in corners for x in corners]
        seen = ground.encode_images(np.stack([square(Image.fromarray(c), ground.info.image_size) for c in crops]))
        for photo in photos:
            row, col = divmod(int((seen @ np.asarray(photo["vector"], np.float32)).argmax()), 7)
            hits.append(bool(np.hypot(centres[col] - photo["x"], centres[row] - photo["y"]) <= 0.125))
    return 100 * float(np.mean(hits))


def localize(tiles: Sequence[Seen], texts: dict[str, Float32], folder: Path) -> dict[str, Any]:
    """Finding landmarks in unseen tiles, in percent, by each level: `pixel`, and the image level read in three ways.

    `by_photo`: the vector of a close-up of a landmark; `by_word`: that of its word as a user types it. A hit is a
    highest score on a landmark of that kind, wherever in the tile; `chance` is the share of the tile where that is so.
    `average_precision` is of all pixels of all tiles that show the kind, by its word.
    """
    hits: dict[str, dict[str, dict[str, list[float]]]] = {
        by: defaultdict(lambda: defaultdict(list)) for by in ("by_photo", "by_word")
    }
    pools: dict[str, dict[str, ScorePool]] = defaultdict(lambda: defaultdict(ScorePool))
    shares: dict[str, list[float]] = defaultdict(list)
    for tile in tiles:
        photos = tile.sample.meta["photos"]
        truth = ground_scenes.truth_of(folder, photos[0]["file"])
        for number, kind in enumerate(KINDS):
            own = truth == number
            if not kind or not own.any():
                continue
            on = maximum_filter(own, 2 * _NEAR + 1)
            shares[kind].append(float(own.mean()))
            asked = [("by_word", texts[kind])] + [
                ("by_photo", np.asarray(p["vector"], np.float32))
                for p in photos
                if "sign" not in p and ground_scenes.kind_at(truth, p) == kind
            ]
            for by, vector in asked:
                hits[by]["chance"][kind].append(float(on.mean()))
                for name, grid in tile.maps.items():
                    score = upsample(np.asarray(grid @ vector, np.float32), CELL, CELL)
                    hits[by][name][kind].append(float(on.flat[int(score.argmax())]))
                    if by == "by_word":
                        pools[name][kind].add(score, own)
    found: dict[str, Any] = {by: {name: _per_kind(of) for name, of in named.items()} for by, named in hits.items()}
    found["average_precision"] = {
        "share": _per_kind(shares),
        **{name: _per_kind({k: [p.average_precision()] for k, p in of.items()}) for name, of in pools.items()},
    }
    return {"tiles_with": {k: len(v) for k, v in shares.items()}, **found}


def _per_kind(values: dict[str, list[float]]) -> dict[str, float]:
    """Percent of each kind, and their mean."""
    each = {kind: 100 * float(np.mean(of)) for kind, of in values.items()}
    return {**each, "mean": float(np.mean(list(each.values())))}


def words(encoder: Encoder, size: Size) -> dict[str, Any]:
    """What text can do with a model: zero-shot classification, retrieval, segmentation, question answering."""
    data = data_dir() / "data"
    scenes = classification.read_labelled([data / "rsicd" / "val-000.tar"])
    picked = np.random.default_rng(0).permutation(len(scenes.items))[: size.shown]
    chosen = dataclasses.replace(scenes, items=[scenes.items[k] for k in picked], truth=scenes.truth[picked])
    named = classification.classify(encoder, chosen)
    items, texts, owner = list[Any](), list[str](), list[int]()
    for item in chosen.items:
        sentence = str(item.meta()["captions"][0])
        owner.append(len(items))
        items.append(item)
        texts.append(sentence)
    captioned = retrieval.CaptionedSet(items, texts, np.array(owner, dtype=np.int64))
    recalls = retrieval.outcome(encoder, captioned).recalls()
    chance = 100.0 * float(np.mean([k / len(items) for k in retrieval.KS]))
    masked = segmentation.read_masked([data / "maps" / "dev.tar"])[: max(4, size.shown // 15)]
    classes = ["road", "water", "park"]
    outlined = {}
    for level, method in (("pixel", "dense"), ("image", "smooth")):
        predict = segmentation.product(encoder, classes, method=method)
        outlined[level] = segmentation.segment(encoder, masked, classes, predict, gsd_m=GSD)
    asked = vqa.questions([item.meta() for item in chosen.items], 0, max(20, size.shown // 3))
    with scratch() as temporary:
        answers = vqa.evaluate(chosen.items, asked, vqa.ProductAnswerer(encoder, 1.0, temporary))
    return {
        "classification_top1": named["top1"],
        "classification_chance": named["baselines"]["chance"],
        "retrieval_mean_recall": recalls["mean_recall"],
        "retrieval_chance": chance,
        "segmentation": {level: _areas(found) for level, found in outlined.items()},
        "questions": answers["accuracy"],
        "questions_majority": answers["baselines"]["majority"],
    }


def _areas(found: dict[str, Any]) -> dict[str, float]:
    precisions = [100 * float(t["average_precision"]) for t in found["per_text"].values()]
    return {
        "miou": 100 * float(found["miou"]),
        "mean_average_precision": float(np.mean(precisions)),
        **{f"iou_{text}": 100 * float(v) for text, v in found["iou_per_text"].items()},
    }


def pairs_of(name: str, out: Path, size: Size, ground: Encoder) -> Path:
    """Lay out the scenes of a set and build its pairs; returns their folder, with `train` and `test`."""
    gsd, px = TILES[name]
    pairs = out / name
    said = dict(zip(SIGNS, ground.encode_texts(list(SIGNS.values())), strict=True))
    for side, count, fold, seed in (("train", size.train, 1, 1), ("test", size.test, 0, 2)):
        if name == "landmarks":
            scenes = ground_scenes.landmarks(side == "test", count, size.photos, seed)
        else:
            scenes = ground_scenes.anywhere(TRAIN if side == "train" else TEST, count, size.photos, seed)
        mosaic, table = ground_scenes.lay_out(out / f"scenes-{name}-{side}", scenes, seed)
        ground_pairs.build(  # one fold: all places are on the side that is wanted
            [mosaic],
            [table],
            pairs / side,
            folder=mosaic.parent / "photos",
            encoder=ground,
            pairing=ground_pairs.Pairing(gsd_m=gsd, size_px=px, folds=1, test_fold=fold),
        )
        if name == "landmarks":
            ground_scenes.put_up_signs(pairs / side, mosaic.parent, said, out / f"{name}-signs" / side)
    return out / f"{name}-signs" if name == "landmarks" else pairs


def prove(out: Path, size: Size, ground_model: str | None = None) -> dict[str, Any]:
    """Build, train at both levels, measure; returns and writes `proof.json`.

    Raises:
        UsageError: A set that there is not.
    """
    begun = time.monotonic()
    names = [name.strip() for name in size.sets.split(",")]
    if not set(names) <= set(TILES):
        raise UsageError(f"There is no set {', '.join(sorted(set(names) - set(TILES)))}.", f"Sets: {', '.join(TILES)}.")
    teacher = Path(ground_model) if ground_model else weights_dir()
    ground = Remembering(load_encoder(str(teacher), "cpu"))
    start = student(out / "start", size.trunk, teacher)
    untrained, _ = load_mammut(start)
    texts = dict(zip(WORDS, ground.encode_texts(list(WORDS.values())), strict=True))
    document: dict[str, Any] = {"settings": dataclasses.asdict(size), "ground_encoder": ground.info.id}
    for name in names:
        gsd, px = TILES[name]
        pairs = pairs_of(name, out, size, ground)
        recipe = AlignRecipe(
            name=name,
            run=str(start),
            steps=size.steps,
            level="both",
            size=px,
            lr=2e-3,
            temperature=0.07,
            sets={"pairs": SetSpec([f"{(pairs / 'train').resolve()}/train-*.tar"], px)},
            mixture={"pairs": size.batch},
            learn=("visual.dense.", "visual.pool.", "visual.to_tokens."),
            jitter_m=gsd,
        )
        trained = time.monotonic()
        align(recipe, out / f"run-{name}")
        trained = time.monotonic() - trained
        model, _ = load_run(out / f"run-{name}")
        found: dict[str, Any] = {"gsd_m": gsd, "training_seconds": round(trained, 1)}
        for when, which in (("after", model), ("before", untrained)):
            tiles = seen_by(which, pairs / "test", px)
            found[when] = {"bridge": bridge(tiles)}
            if name == "landmarks":
                found[when]["localization"] = localize(tiles, texts, out / f"scenes-{name}-test")
        if name == "fine" and size.looked:
            looked = [(image, s.meta["photos"]) for s, image in tiles_of(pairs / "test", px)[: size.looked]]
            found["pointing_ground_encoder"] = looked_for(ground, looked)
        exported = out / f"model-{name}"
        save_mammut(model, exported, Card(f"ground-{name}", "", "close-ups"), teacher / "tokenizer.json", int8=False)
        if name != "coarse" and size.shown:
            found["words"] = words(load_encoder(str(exported), "cpu"), size)
        document[name] = found
        write_json(document, out / "proof.json")
    if size.shown:
        document["ground_encoder_itself"] = words(ground, size)
    document["seconds"] = round(time.monotonic() - begun, 1)
    write_json(document, out / "proof.json")
    return document


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.ground_proof",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--ground-model", metavar="DIR", help="a model's folder (default: the bundled one)")
    for name, value in dataclasses.asdict(Size()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    args = parser.parse_args(argv)
    size = Size(**{f.name: getattr(args, f.name) for f in dataclasses.fields(Size)})
    try:
        show(prove(args.out, size, args.ground_model))
    except RsvlmError as error:
        print(f"training.ground_proof: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
