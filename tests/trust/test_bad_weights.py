"""Model folders from strangers: wrong shapes, lying headers, damaged JSON. One line, no code run, no memory eaten."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from rsvlm_core.errors import ModelError, RsvlmError
from rsvlm_core.model.checkpoint import Card, load_mammut, read_config, read_weights, save_mammut
from rsvlm_core.model.config import MammutConfig, load_config
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.quantise import PACKED, SCALE, dequantise
from tests.trust.scale import FUZZ
from training.state import load_state


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A whole model's folder."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("good")
    save_mammut(Mammut(load_config("tiny")).eval(), folder, Card("tiny"))
    return folder


@pytest.fixture
def folder(good, tmp_path):
    """A copy to damage."""
    for path in good.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def refused(folder) -> str:
    with pytest.raises(ModelError) as caught:
        load_mammut(folder)
    assert str(folder) in caught.value.message or "configuration" in caught.value.message, caught.value.message
    assert caught.value.remedy
    return caught.value.message


def change(folder, edit) -> None:
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


def first_matrix(tensors) -> str:
    return next(k for k, v in tensors.items() if v.ndim == 2 and v.shape[0] != v.shape[1] and "::" not in k)


@pytest.mark.parametrize("edit", [
    lambda t: t.update({(k := first_matrix(t)): t[k][:-1]}),
    lambda t: t.update({(k := first_matrix(t)): t[k].T.copy()}),
    lambda t: t.update({(k := first_matrix(t)): t[k].ravel()}),
    lambda t: t.update({first_matrix(t): np.zeros((0, 4), np.float32)}),
    lambda t: t.pop(first_matrix(t)),
    lambda t: t.update(stranger=np.zeros(3, np.float32)),
    lambda t: t.update({next(k for k in t if k.endswith(SCALE)): np.zeros(1, np.float32)}),
    lambda t: t.update({next(k for k in t if k.endswith(PACKED)): np.zeros((5, 5), np.uint8)}),
    lambda t: t.update({next(k for k in t if k.endswith(PACKED)): np.zeros((), np.uint8)}),
    lambda t: t.clear(),
], ids=["row", "transposed", "flat", "empty", "missing", "more", "scale", "packed", "scalar", "nothing"])  # fmt: skip
def test_wrong_shapes(edit, folder):
    change(folder, edit)
    refused(folder)


@pytest.mark.parametrize("data", [
    b"", b"\x00" * 4, struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 2**40) + b"{}",
    struct.pack("<Q", 100_000_001) + b" " * 1000, struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 2) + b"[]",
    struct.pack("<Q", 12) + b"not json at!", struct.pack("<Q", 200_000) + b"[" * 200_000,
    struct.pack("<Q", 64) + b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,999999999999]}}'[:64],
], ids=["empty", "short", "2^63", "2^40", "limit", "no-tensors", "list", "no-json", "deep", "offsets"])  # fmt: skip
def test_lying_headers(data, folder):
    (folder / "model.safetensors").write_bytes(data)
    refused(folder)


def test_a_shape_larger_than_memory_is_not_believed(folder):
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"1234")
    refused(folder)


class Bomb:
    """Unpickling it leaves a mark."""

    def __init__(self, mark):
        self._mark = str(mark)

    def __reduce__(self):
        return open, (self._mark, "w")


def test_a_pickle_is_never_run(folder, tmp_path):
    mark = tmp_path / "ran"
    for name, data in {"p": pickle.dumps(Bomb(mark)), "z": b""}.items():
        path = folder / "model.safetensors"
        path.write_bytes(data)
        if name == "z":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("archive/data.pkl", pickle.dumps(Bomb(mark)))
                archive.writestr("archive/version", "3")
        refused(folder)
        (folder / "state.pt").write_bytes(path.read_bytes())
        with pytest.raises(RsvlmError):
            load_state(folder / "state.pt")
        with pytest.raises(Exception, match="(?i)weights|archive|unpickl|magic|pickle"):
            torch.load(folder / "state.pt", weights_only=True)
    assert not mark.exists()


CONFIGS = {
    "not_json": "{", "a_list": "[]", "a_number": "7", "no_sizes": "{}", "nan": '{"format": NaN}',
    "format_text": '{"format": "one"}', "format_null": '{"format": null}', "deep": "[" * 100_000,
    "vision_is_a_list": '{"embed_dim": 8, "vision_cfg": [], "text_cfg": {}}',
    "vision_is_a_number": '{"embed_dim": 8, "vision_cfg": 3, "text_cfg": {}}',
    "text_is_a_number": '{"embed_dim": 8, "vision_cfg": {}, "text_cfg": 3}',
    "embed_is_text": '{"embed_dim": "wide", "vision_cfg": {}, "text_cfg": {}}',
    "embed_is_huge": '{"embed_dim": 1e300, "vision_cfg": {}, "text_cfg": {}}',
    "negative": '{"embed_dim": -1, "vision_cfg": {}, "text_cfg": {}}',
    "a_billion_layers": '{"embed_dim": 8, "vision_cfg": {"layers": 1000000000}, "text_cfg": {}}',
    "layers_are_text": '{"embed_dim": 8, "vision_cfg": {"layers": "many"}, "text_cfg": {}}',
    "heads_do_not_fit": '{"embed_dim": 8, "vision_cfg": {}, "text_cfg": {"width": 7, "heads": 3}}',
    "trunk_unknown": '{"embed_dim": 8, "vision_cfg": {"timm_model_name": "no_such_trunk"}, "text_cfg": {}}',
    "gsd_is_one": '{"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}, "gsd_m": 3}',
    "gsd_is_text": '{"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}, "gsd_m": ["a", "b"]}',
    "bytes": "\xff\xfe",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations(name, folder):
    (folder / "config.json").write_bytes(CONFIGS[name].encode("latin-1"))
    refused(folder)


numbers = st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=8))
leaves = st.one_of(numbers, st.lists(numbers, max_size=3))


@FUZZ
@given(st.fixed_dictionaries({}, optional={
    "format": leaves, "embed_dim": leaves, "gsd_m": leaves, "name": leaves, "notes": leaves,
    "vision_cfg": st.one_of(leaves, st.fixed_dictionaries({}, optional={
        "layers": leaves, "width": leaves, "patch_size": leaves, "image_size": leaves, "mean": leaves,
        "timm_model_name": leaves, "head_width": leaves, "unknown": leaves})),
    "text_cfg": st.one_of(leaves, st.fixed_dictionaries({}, optional={
        "layers": leaves, "width": leaves, "heads": leaves, "vocab_size": leaves, "cross_attn_every": leaves})),
}))  # fmt: skip
def test_any_configuration_is_read_or_refused(tmp_path_factory, raw):
    folder = tmp_path_factory.mktemp("c")
    (folder / "config.json").write_text(json.dumps(raw))
    try:
        config, _ = read_config(folder)
    except ModelError as error:
        assert error.remedy
        return
    assert isinstance(config, MammutConfig)


arrays = st.builds(
    lambda kind, shape: np.zeros(shape, kind),
    st.sampled_from([np.float32, np.float16, np.int8, np.uint8, np.int64]),
    st.lists(st.integers(0, 5), max_size=3).map(tuple),
)


@FUZZ
@given(st.dictionaries(st.sampled_from(["a", "a" + SCALE, "a" + PACKED, "b", "b" + SCALE, "b" + PACKED]), arrays))
def test_any_quantised_state_is_read_or_refused(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("q") / "model.safetensors"
    save_file(state, path)
    try:
        read = read_weights(path)
    except ModelError as error:
        assert str(path) in error.message and error.remedy
        return
    assert set(read) == {k.removesuffix(PACKED) for k in dequantise(state)}


@FUZZ
@given(st.binary(max_size=400), st.integers(0, 2**64 - 1))
def test_any_bytes_are_no_weights(tmp_path_factory, data, size):
    path = tmp_path_factory.mktemp("b") / "model.safetensors"
    path.write_bytes(struct.pack("<Q", size) + data)
    try:
        assert isinstance(read_weights(path), dict)
    except ModelError as error:
        assert str(path) in error.message
