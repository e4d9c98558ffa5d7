"""Our own parsers, fed with anything: they read it or refuse it in their own words, and raise nothing else."""

from __future__ import annotations

import io
import json
import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from rsvlm_core.cli.parser import parse
from rsvlm_core.errors import RsvlmError, UsageError, one_line
from rsvlm_core.index.manifest import IndexManifest
from rsvlm_core.jobs.params import Params
from rsvlm_core.worker.protocol import Channel, Malformed, Request, requests
from tests.trust.scale import FUZZ
from training.recipe import Recipe, load_recipe

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(10**300, 10**320), st.floats(), st.text(max_size=20),
    st.binary(max_size=8).map(repr),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=12,
)


@FUZZ
@given(st.lists(st.one_of(
    st.binary(max_size=60), anything.map(lambda v: json.dumps(v).encode()),
    st.fixed_dictionaries({"id": scalars, "op": scalars, "params": anything}).map(lambda v: json.dumps(v).encode()),
), max_size=8))  # fmt: skip
@example([b'{"id": ' + b"9" * 5000 + b', "op": "hello"}'])
@example([b'{"id": "\\ud800", "op": "\\udfff"}'])
@example([b"[" * 200_000, b'{"a":' * 100_000])
def test_worker_lines(lines):
    stream = io.BytesIO(b"\n".join(line.replace(b"\n", b"") for line in lines) + b"\n")
    for message in requests(stream, 4096):
        assert isinstance(message, (Request, Malformed))
        out = io.BytesIO()
        Channel(out).send("error", message.id, message="x", params=getattr(message, "params", None))
        answer = out.getvalue()
        assert answer.endswith(b"\n") and answer.count(b"\n") == 1 and isinstance(json.loads(answer), dict)


GETTERS = {
    "text": lambda p: p.text("x"), "texts": lambda p: p.texts("x"), "number": lambda p: p.number("x", -1, 1),
    "integer": lambda p: p.integer("x", 3, 1), "flag": lambda p: p.flag("x"), "choice": lambda p: p.choice("x", "abc"),
    "numbers": lambda p: p.numbers("x", low=0), "extent": lambda p: p.extent("x"), "bands": lambda p: p.bands("x"),
}


@pytest.mark.parametrize("getter", GETTERS)
@FUZZ
@given(value=st.one_of(anything, st.lists(st.floats(), min_size=4, max_size=4), st.lists(st.integers(), min_size=3)))
@example(value=10**400)
@example(value="a\0b")
@example(value="\udcff")
@example(value=[math.inf] * 4)
def test_parameters(getter, value):
    try:
        got = GETTERS[getter](Params({"x": value}))
    except UsageError as error:
        assert error.message and error.remedy and len(error.message) < 1000
        return
    if isinstance(got, tuple):
        assert all(math.isfinite(v) for v in got)
    elif isinstance(got, float):
        assert math.isfinite(got)


@pytest.mark.parametrize("option", ["--extent", "--bands", "--gsd", "--top", "--min-score"])
@FUZZ
@given(value=st.one_of(st.text(max_size=30), st.lists(st.floats(), max_size=5).map(lambda v: ",".join(map(str, v)))))
@example(value="1,2,3,")
@example(value="1e999,0,1,1")
@example(value="nan,nan,nan,nan")
@example(value="٣,٢,١")
def test_options(option, value):
    try:
        command, args = parse(["search", "a.tif", "--text", "x", f"{option}={value}"])
    except SystemExit as end:
        assert end.code == 2
        return
    params = Params(command.params(args))
    for read in (lambda: params.extent(), lambda: params.bands(), lambda: params.numbers("gsds", low=1e-6),
                 lambda: params.integer("top", 50, low=1), lambda: params.number("min_score", -1.0, 1.0)):  # fmt: skip
        try:
            read()
        except UsageError as error:
            assert error.remedy


@FUZZ
@given(st.text())
def test_a_message_is_one_line(text):
    shown = one_line(text)
    assert shown.isprintable() and len(shown.splitlines()) <= 1


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """A right `collection.json`."""
    from rsvlm_core.index.builder import build_index
    from tests.fakes import FakeEncoder
    from tests.trust.scene import write

    folder = tmp_path_factory.mktemp("m")
    build_index([str(write(folder / "r.tif"))], folder / "x.rsindex", FakeEncoder())
    return json.loads((folder / "x.rsindex" / "collection.json").read_text())


def paths(node, so_far=()):
    """Every place in a document."""
    yield so_far
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from paths(value, (*so_far, key))


@FUZZ
@given(data=st.data())
def test_manifests(manifest, tmp_path_factory, data):
    """Any one value of a right manifest replaced by anything, or taken out."""
    document = json.loads(json.dumps(manifest))
    place = data.draw(st.sampled_from([p for p in paths(document) if p]))
    node = document
    for key in place[:-1]:
        node = node[key]
    if data.draw(st.booleans()) and isinstance(node, dict):
        del node[place[-1]]
    else:
        node[place[-1]] = data.draw(anything)
    folder = tmp_path_factory.mktemp("x.rsindex")
    (folder / "collection.json").write_text(json.dumps(document))
    try:
        read = IndexManifest.load(folder)
        _ = [(s.crs, s.footprint, [a.geometry for a in s.areas]) for s in read.sources]
        assert read.parts is not None
    except RsvlmError as error:
        assert "x.rsindex" in error.message and error.remedy


@FUZZ
@given(st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b"\xff\xfe{}")
def test_manifests_of_bytes(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("x.rsindex")
    (folder / "collection.json").write_bytes(data)
    with pytest.raises(RsvlmError, match="x.rsindex"):
        IndexManifest.load(folder)


recipe_like = st.fixed_dictionaries({}, optional={
    "name": anything, "model": anything, "seed": anything, "stage_defaults": anything,
    "sets": st.one_of(anything, st.dictionaries(st.text(max_size=4), anything, max_size=3)),
    "stages": st.one_of(anything, st.lists(st.one_of(anything, st.fixed_dictionaries({}, optional={
        "name": anything, "steps": anything, "batch": anything, "mixture": anything, "lr": anything})), max_size=3)),
})  # fmt: skip


@FUZZ
@given(st.one_of(recipe_like.map(lambda v: yaml.safe_dump(json.loads(json.dumps(v, default=str))).encode()),
                 st.binary(max_size=80)),
       st.lists(st.text(max_size=20), max_size=3))  # fmt: skip
@example(b"!!python/object/apply:os.system ['true']", [])
@example(b"a: &a [*a]", ["a.0=1"])
@example(b"- 1", ["x=1"])
def test_recipes(tmp_path_factory, data, overrides):
    path = tmp_path_factory.mktemp("r") / "r.yaml"
    path.write_bytes(data)
    try:
        assert isinstance(load_recipe(path, overrides), Recipe)
    except RsvlmError as error:
        assert error.message
