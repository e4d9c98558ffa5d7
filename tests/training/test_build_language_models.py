"""Captions by language models: what they are asked, what is kept of their answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsvlm_core.errors import DataError, ModelError, UsageError
from tests.training.test_build_landmarks import raster_with_map, sight
from training.build.commands import main
from training.build.language_models import ChatWriter, HuggingFaceWriter, captions_of
from training.build.rs_landmarks import Tiling, build
from training.build.shardout import webp
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


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision-language model of LLaVA's build with random weights, of two layers and a dozen words."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install transformers")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("seeing")
    words = ["<unk>", "<end>", "<image>", *WORDS]
    plain = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", eos_token="<end>", pad_token="<end>",
        additional_special_tokens=["<image>"])
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    vision = transformers.CLIPVisionConfig(**small, num_hidden_layers=2, image_size=32, patch_size=16)
    text = transformers.LlamaConfig(
        **small, num_hidden_layers=1, vocab_size=len(words), max_position_embeddings=1024, bos_token_id=1,
        eos_token_id=1, pad_token_id=1)
    model = transformers.LlavaForConditionalGeneration(transformers.LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=2, vision_feature_layer=-1))
    with torch.no_grad():  # what a picture looks like has to be heard among the words
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(20)
    model.save_pretrained(folder)
    turns = ("{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image> {% else %}"
             "{{ c['text'] }} {% endif %}{% endfor %}{% endfor %}")
    transformers.LlavaProcessor(
        transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}), tokenizer,
        patch_size=16, vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=turns,
    ).save_pretrained(folder)
    return folder


def test_a_vision_language_model_sees_the_picture(seeing: Path) -> None:
    writer = HuggingFaceWriter(str(seeing), see=True, words=16)

    def said(picture: Image.Image) -> list[list[str]]:
        return [writer.write([sight("church")], webp(picture), 1, np.random.default_rng(s)) for s in range(4)]

    first, second = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    once = said(first)
    assert once == said(first) and len({str(c) for c in once}) > 1, "drawn, and again by the same draw"
    assert once != said(second), "another picture"
    assert {w for c in once for line in c for w in line.split()} <= {*WORDS, "<unk>"} and any(once)


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
