"""A fuzzer that watches which of our branches an input reaches, and goes on from those that reach new ones (atheris).

    python -m tests.trust.guided TARGET FOLDER [-runs=N] [-max_total_time=SECONDS]

TARGET is one of `NAMES`, or `all`, where the first byte chooses. Seeds and words to mix in are made here, by us, and
lie in FOLDER while it runs; an input that a parser of ours answers with anything but an error of its own stays there.
What follows goes to libFuzzer. This module runs in a process of its own: atheris changes every module that it watches.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

NAMES = ("lines", "manifest", "model", "weights", "recipe", "options", "served", "notes")
PLANTED = "planted"  # a fault that blind tries do not find, to see that this finds faults at all
GOLDEN = Path(__file__).parent / "golden"


class Target(NamedTuple):
    """A parser: inputs to start from, and what reads one."""

    seeds: tuple[bytes, ...]
    read: Callable[[bytes], None]


def targets(place: Path) -> dict[str, Target]:
    """Every parser of ours; imported here, so that atheris sees the import."""
    import numpy as np
    from safetensors.numpy import save

    from rsvlm_core.cli.parser import parse
    from rsvlm_core.engines.pieces import Card
    from rsvlm_core.errors import ModelError, RsvlmError, UsageError
    from rsvlm_core.index.approximate import NOTE, read_note
    from rsvlm_core.index.manifest import IndexManifest
    from rsvlm_core.jobs.params import Params
    from rsvlm_core.model.folder import WEIGHTS, folder_info, read_arrays
    from rsvlm_core.model.quantise import quantise
    from rsvlm_core.model.registry import added_models
    from rsvlm_core.worker.protocol import Channel, Request, requests
    from training.recipe import load_recipe

    index, model, cache = place / "x.rsindex", place / "model", place / "cache"
    for folder in (index, model, cache):
        folder.mkdir()

    def refused(read: Callable[[], object], kind: type[RsvlmError] = RsvlmError) -> None:
        try:
            read()
        except kind as error:
            assert error.message and error.remedy, error

    def lines(data: bytes) -> None:
        for message in requests(io.BytesIO(data), 4096):
            out = io.BytesIO()
            Channel(out).send("error", message.id, message="x", params=getattr(message, "params", None))
            assert out.getvalue().count(b"\n") == 1 and isinstance(json.loads(out.getvalue()), dict)
            if isinstance(message, Request):
                params = Params(message.params)
                for get in (params.source, params.sources, params.extent, params.bands, params.model, params.done,
                            lambda p=params: p.texts("texts"), lambda p=params: p.integer("top", 50, low=1),
                            lambda p=params: p.numbers("gsds", low=1e-6), lambda p=params: p.flag("fresh")):
                    refused(get)

    def manifest(data: bytes) -> None:
        (index / "collection.json").write_bytes(data)

        def read() -> None:
            found = IndexManifest.load(index)
            _ = [(s.crs, s.footprint.area, [a.geometry for a in s.areas]) for s in found.sources], found.parts
            json.dumps(found.to_json(index))

        refused(read)

    def configuration(data: bytes) -> None:
        (model / "config.json").write_bytes(data)
        refused(lambda: folder_info(model), ModelError)

    def weights(data: bytes) -> None:
        (model / WEIGHTS).write_bytes(data)
        refused(lambda: read_arrays(model / WEIGHTS), ModelError)
        refused(lambda: folder_info(model), ModelError)

    def recipe(data: bytes) -> None:
        text, _, override = data.partition(b"\0")
        (place / "r.yaml").write_bytes(text)
        with contextlib.suppress(UsageError):
            load_recipe(place / "r.yaml", [override.decode("utf-8", "replace")] if override else [])

    def options(data: bytes) -> None:
        words = ["search", *data.decode("utf-8", "surrogateescape").split("\n")]
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            try:
                command, args = parse(words)
            except SystemExit as end:
                assert end.code in (0, 2)  # 0 for --help
                return
        params = Params(command.params(args))
        for get in (params.sources, params.extent, params.bands, lambda: params.integer("top", 50, low=1),
                    lambda: params.numbers("gsds", low=1e-6), lambda: params.number("min_score", -1.0, 1.0)):
            refused(get)

    def served(data: bytes) -> None:
        refused(lambda: Card.from_json(data, "lancedb:t").crs)

    def notes(data: bytes) -> None:
        (index / NOTE).write_bytes(data)
        read_note(index)
        (cache / "models.json").write_bytes(data)
        assert all(isinstance(v, str) for v in added_models().values())

    def planted(data: bytes) -> None:
        if len(data) > 2 and data[0] == ord("a") and data[1] == ord("t"):
            _third(data[2])

    whole = (GOLDEN / "old.rsindex" / "collection.json").read_bytes()
    config = (GOLDEN / "model" / "config.json").read_bytes()
    (model / "config.json").write_bytes(config)
    rng = np.random.default_rng(0)
    state = quantise({"token.weight": rng.random((128, 64), np.float32), "a": rng.random((4, 4), np.float32),
                      "b": rng.random((128, 64), np.float32)})
    card = {"model": "m", "model_sha256": "0" * 64, "dimensions": 4, "wkt": "EPSG:4326", "format": 1}
    return {
        "lines": Target((
            b'{"id": 1, "op": "hello"}\n{"id": "a", "op": "search", "params": {"sources": ["r.tif"], "texts": "x"}}\n',
            b'{"id": 2, "op": "segment", "params": {"extent": [0, 0, 1, 1], "bands": [3, 2, 1], "gsds": 5, "top": 3}}',
        ), lines),
        "manifest": Target((json.dumps(json.loads(whole), separators=(",", ":")).encode(), b"{}"), manifest),
        "model": Target((config, b'{"embed_dim":8,"vision_cfg":{"layers":1},"text_cfg":{"width":8,"heads":1}}'),
                        configuration),
        "weights": Target((save(state), save({"a": np.zeros((2, 2), np.float32)}), struct.pack("<Q", 2) + b"{}"),
                          weights),
        "recipe": Target((
            b"name: t\nmodel: t\nsets: {a: {shards: [x]}}\nstages: [{name: s, steps: 1, batch: 2, mixture: {a: 1}}]",
            b"name: t\nmodel: m\nsets: {}\nstages: []\0stages.0.steps=50",
        ), recipe),
        "options": Target((
            b"a.tif\n--text\nx\n--extent\n1,2,3,4\n--bands\n3,2,1\n--gsd\n0.5\n--top\n5\n--min-score\n0.1\n--out\nh.gpkg",
        ), options),
        "served": Target((json.dumps(card).encode(),), served),
        "notes": Target((b'{"a": "open_clip:b/c"}', b'{"parts": [["p", 1]], "lists": 4, "probes": 2}'), notes),
        PLANTED: Target((b"xyz",), planted),
    }


def _third(byte: int) -> None:
    if byte == ord("h"):
        raise ZeroDivisionError("planted")


def dictionary(seeds: list[bytes]) -> str:
    """Words of the seeds, and values that numbers and tables should not have, as libFuzzer reads them."""
    words = {m.group().decode() for seed in seeds for m in re.finditer(rb'"[a-zA-Z_:]{2,30}"|--[a-z-]+', seed)}
    words |= {"NaN", "Infinity", "1e999", "-1", "null", "true", "[]", "{}", "[[[[", '""', "0", '"\\\\ud800"', "9" * 20}
    shown = [w.replace("\\\\", "\\").replace("\\", "\\\\").replace('"', '\\"') for w in sorted(words)]
    return "".join(f'"{word}"\n' for word in shown)


def main() -> None:
    """Fuzz until a fault, or as long as was said."""
    import atheris

    name, folder, options = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    with tempfile.TemporaryDirectory() as scratch:
        with atheris.instrument_imports(include=["rsvlm_core", "training", "yaml"]):
            known = targets(Path(scratch))
        atheris.instrument_func(_third)
        planted = atheris.instrument_func(known[PLANTED].read)
        known[PLANTED] = known[PLANTED]._replace(read=planted)
        chosen = {n: known[n] for n in NAMES} if name == "all" else {name: known[name]}
        order = list(chosen.values())

        def one(data: bytes) -> None:
            if len(order) == 1:
                order[0].read(data)
            elif data:
                order[data[0] % len(order)].read(data[1:])

        corpus = folder / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        for number, target in enumerate(order):
            for i, seed in enumerate(target.seeds):
                (corpus / f"seed-{number}-{i}").write_bytes(seed if len(order) == 1 else bytes([number]) + seed)
        words = folder / "words"
        words.write_text(dictionary([s for t in order for s in t.seeds]), "utf-8")
        longest = max(len(s) for t in order for s in t.seeds) + 200
        atheris.Setup(
            [sys.argv[0], str(corpus), f"-dict={words}", f"-artifact_prefix={folder}/", f"-max_len={longest}",
             "-timeout=60", "-rss_limit_mb=4000", *options], one,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
