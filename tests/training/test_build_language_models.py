"""Captions by language models: what they are asked, what is kept of their answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import DataError, ModelError, UsageError
from tests.training.test_build_landmarks import raster_with_map, sight
from training.build.commands import main
from training.build.language_models import ChatWriter, HuggingFaceWriter, captions_of
from training.build.rs_landmarks import Tiling, build
from training.data.shards import read_samples


class Model(BaseHTTPRequestHandler):
    """A stand-in for a language model's server."""

    asked: list[dict] = []  # type: ignore[type-arg]
    answer = "1. A church among cropland\n2. A church beside a swimming pool\n- \"Farmland around a church\"\n"
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Model.asked.append({**body, "authorization": self.headers.get("Authorization")})
        data = json.dumps({"choices": [{"message": {"content": self.answer}}]}).encode()
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def model() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Model.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_a_language_model_is_asked_and_what_it_makes_up_is_dropped(
    tmp_path: Path, make_raster: Callable[..., Path], model: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    raster, vector = raster_with_map(tmp_path, make_raster)
    monkeypatch.setenv("MODEL_KEY", "abc")
    writer = ChatWriter(model, "some-model", "MODEL_KEY", see=True)
    card = build([raster], [vector], tmp_path / "o", tiling=Tiling(gsds=(1.0,), size_px=64, captions=3), writer=writer)
    samples = list(read_samples([tmp_path / "o" / "rs_landmarks-00000.tar"]))
    farm = next(s for s in samples if len(s.meta["landmarks"]) == 2)
    assert {"A church among cropland", "Farmland around a church"} < set(farm.meta["captions"])
    assert len(farm.meta["captions"]) == 3 and not any("pool" in c for c in farm.meta["captions"])
    flow = {row["step"]: row for row in card["flow"]}
    assert flow["check captions"]["dropped"]["names what is not in view"] >= 1
    asked = Model.asked[0]
    assert asked["model"] == "some-model" and asked["authorization"] == "Bearer abc"
    assert asked["messages"][0]["content"][1]["image_url"]["url"].startswith("data:image/webp;base64,")
    assert "abc" not in (tmp_path / "o" / "card.json").read_text()


def test_a_model_that_fails_is_said(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "status", 500)
    with pytest.raises(DataError, match="no caption"):
        ChatWriter(model, "m").write([sight("church")], b"", 2, np.random.default_rng(0))
    with pytest.raises(UsageError, match="NO_SUCH_KEY"):
        ChatWriter(model, "m", "NO_SUCH_KEY")
    with pytest.raises(UsageError, match="http"):
        ChatWriter("localhost", "m")



WORDS = "a the church cropland near beside farmland with around of in swimming pool view aerial".split()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal language model of one layer, random weights, that knows a dozen words."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install transformers")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("model")
    words = ["<unk>", "<end>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<end>", pad_token="<end>").save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(words), n_positions=1024, n_embd=16, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=1)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def test_a_model_of_hugging_face_runs_here(
    tmp_path: Path, make_raster: Callable[..., Path], checkpoint: Path,
) -> None:
    raster, vector = raster_with_map(tmp_path, make_raster)
    out, result = tmp_path / "set", tmp_path / "r.json"
    options = ["--imagery", str(raster), "--landmarks", str(vector), "--out", str(out), "--gsd", "1", "--size", "64"]
    assert main(["rs_landmarks", *options, "--llm", str(checkpoint), "--json", str(result)]) == 0
    card = json.loads(result.read_text())
    assert card["settings"]["writer"] == str(checkpoint)
    captions = [c for s in read_samples([out / "rs_landmarks-00000.tar"]) for c in s.meta["captions"]]
    flow = {row["step"]: row for row in card["flow"]}["check captions"]
    # a random model babbles, of what differs between releases of torch: whatever names a pool has to go
    assert set(flow["dropped"]) <= {"names what is not in view"}, flow
    assert captions and not any("pool" in c for c in captions), "the grammar filled the gap"
    farm = [sight("*farmland"), sight("church")]
    writer = HuggingFaceWriter(str(checkpoint), words=12)
    said = [writer.write(farm, b"", 2, np.random.default_rng(s)) for s in (0, 0, 1)]
    assert said[0] == said[1] != said[2] and set(said[0][0].split()) <= {*WORDS, "<unk>"}


def test_language_models_that_cannot_be_used(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed: pip install transformers")
    with pytest.raises(UsageError, match="no language model"):
        HuggingFaceWriter(str(tmp_path / "gone"))
    with pytest.raises(ModelError, match="which revision"):
        HuggingFaceWriter("hf-hub:someone/something")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be loaded"):
        HuggingFaceWriter(str(tmp_path))


def test_answers_are_taken_apart() -> None:
    answer = 'Sure:\n1) "A church in fields"\n* a church in fields.\n- too short\n\n3. A church in fields'
    assert captions_of(answer, 5) == ["A church in fields", "a church in fields."]
    assert captions_of(answer, 1) == ["A church in fields"] and captions_of("", 3) == []
