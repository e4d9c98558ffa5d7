"""Models by name: the bundled one, folders of ours, names that a user added, and open_clip's."""

from __future__ import annotations

import json
from pathlib import Path

from rsvlm_core.errors import ModelError, OutputError, UsageError
from rsvlm_core.model.encoder import Encoder, ModelInfo
from rsvlm_core.model.folder import folder_info
from rsvlm_core.model.runtime import ONNX, choose, need_torch
from rsvlm_core.scratch import write_text
from rsvlm_core.settings import cache_dir, weights_dir

BUNDLED = "bundled"


def _added_file() -> Path:
    return cache_dir() / "models.json"


def added_models() -> dict[str, str]:
    """Names that the user added -> what they stand for."""
    try:
        raw = json.loads(_added_file().read_text("utf-8"))
    except (OSError, ValueError, RecursionError, OutputError):
        return {}
    return {str(k): str(v) for k, v in raw.items()} if isinstance(raw, dict) else {}


def add_model(name: str, target: str) -> ModelInfo:
    """Remember `name` for a folder of ours or any other `--model` value, after checking that it can be used.

    Raises:
        UsageError: The name is taken by the bundled model or looks like a path.
        ModelError: The target is no model.
        OutputError: The list of names cannot be written.
    """
    if name == BUNDLED or not name or any(c in name for c in "/\\:"):
        raise UsageError(f"'{name}' cannot be a model's name.", "Choose one without slashes and colons.")
    path = Path(target)
    info = model_info(str(path.resolve()) if path.exists() else target)
    models = {**added_models(), name: str(path.resolve()) if path.exists() else target}
    file = _added_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(models, indent=1))
    except OSError as error:
        raise OutputError(
            f"{file} cannot be written: {error.strerror}.",
            "Free some space there, or set RSVLM_CACHE to a folder that can be written.",
        ) from error
    return info


def _local_folder(name: str) -> Path | None:
    if name == BUNDLED:
        return weights_dir()
    path = Path(name)
    if path.is_file() and path.suffix == ".safetensors":
        path = path.parent
    return path if (path / "config.json").is_file() and (path / "model.safetensors").is_file() else None


def _resolve(name: str | None) -> str:
    chosen = name or BUNDLED
    return added_models().get(chosen, chosen)


def model_info(name: str | None = None) -> ModelInfo:
    """Identity of a model; a local one is not loaded.

    Raises:
        ModelError: There is no such model.
    """
    target = _resolve(name)
    folder = _local_folder(target)
    if folder is not None:
        return folder_info(folder, name or BUNDLED)
    return load_encoder(name).info


def load_encoder(name: str | None = None, device: str = "auto", runtime: str | None = None) -> Encoder:
    """Load a model.

    Args:
        name: None or "bundled"; a folder or file of ours; an added name; `open_clip:NAME/PRETRAINED`;
            `hf-hub:ORG/NAME@COMMIT`.
        device: "auto", "cpu", "cuda", "mps".
        runtime: For models of ours: "auto", "onnx" or "torch"; None asks the variable RSVLM_RUNTIME.

    Raises:
        ModelError: It cannot be found or loaded.
        UsageError: There is no such runtime.
    """
    target = _resolve(name)
    folder = _local_folder(target)
    if folder is not None:
        if choose(folder, device, runtime) == ONNX:
            from rsvlm_core.model.onnx_encoder import OnnxEncoder

            return OnnxEncoder(folder, name or BUNDLED)
        from rsvlm_core.model.torch_encoder import TorchEncoder

        return TorchEncoder.load(folder, name or BUNDLED, device)
    if target.startswith(("open_clip:", "hf-hub:")):
        need_torch(f"The model {target}")
    if target.startswith("open_clip:"):
        from rsvlm_core.model.open_clip_encoder import OpenClipEncoder

        model, _, pretrained = target.removeprefix("open_clip:").partition("/")
        return OpenClipEncoder(model, pretrained or None, name or target, device)
    if target.startswith("hf-hub:"):
        from rsvlm_core.model.open_clip_encoder import OpenClipEncoder, fetch_hub

        return OpenClipEncoder(f"local-dir:{fetch_hub(target, cache_dir() / 'hub')}", None, name or target, device)
    what = (
        "The bundled model is missing from this installation" if target == BUNDLED else f"There is no model '{target}'"
    )
    raise ModelError(
        f"{what}.",
        "Name a folder with config.json and model.safetensors, open_clip:NAME/PRETRAINED, or "
        "hf-hub:ORG/NAME@COMMIT; `rsvlm models list` shows what is here.",
    )


def list_models() -> list[ModelInfo]:
    """The bundled model and those the user added, as far as they can still be read."""
    found = []
    for name in (BUNDLED, *added_models()):
        try:
            if _local_folder(_resolve(name)) is not None:
                found.append(model_info(name))
        except ModelError:
            continue  # the folder was moved or damaged; `models info NAME` says what is wrong
    return found
