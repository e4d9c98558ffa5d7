"""Every CLIP-family model that open_clip loads, behind the encoder's interface."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsvlm_core.errors import ModelError, UsageError, first_line
from rsvlm_core.model.device import choose_device
from rsvlm_core.model.encoder import Float32, ModelInfo, UInt8
from rsvlm_core.model.folder import file_sha256
from rsvlm_core.model.tokenizer import check_texts

_CHUNK = 16
_OFFLINE = "Fetch it once with `rsvlm models download` on a connected machine, or name a local file."


class OpenClipEncoder:
    """An `Encoder` over an open_clip model.

    Args:
        name: open_clip model name, or `local-dir:FOLDER`.
        pretrained: Tag or file of weights; None where `name` brings its own.
        shown: The id that indexes and results carry.
        device: Where to compute.
    """

    def __init__(self, name: str, pretrained: str | None, shown: str, device: str = "auto") -> None:
        import open_clip

        if pretrained is None and not name.startswith("local-dir:"):
            raise ModelError(f"The model {shown} names no weights.", "Write open_clip:NAME/PRETRAINED.")
        self.device = choose_device(device)
        try:
            # weights_only: a checkpoint is data, it must not run code
            model, _, _ = open_clip.create_model_and_transforms(name, pretrained=pretrained, weights_only=True)
            self._tokenizer: Any = open_clip.get_tokenizer(name)
        except Exception as error:  # open_clip and the hub raise many kinds
            raise ModelError(f"The model {shown} cannot be loaded: {first_line(error)}.", _OFFLINE) from None
        self.model = model.eval().requires_grad_(False).to(self.device)
        visual = self.model.visual
        size = visual.image_size
        size = int(size[0] if isinstance(size, (tuple, list)) else size)
        mean = getattr(visual, "image_mean", None) or open_clip.OPENAI_DATASET_MEAN
        std = getattr(visual, "image_std", None) or open_clip.OPENAI_DATASET_STD
        self._mean = torch.tensor(mean, device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(std, device=self.device).view(1, 3, 1, 1)
        patch = getattr(visual, "patch_size", None)
        self._patch = int(patch[0] if isinstance(patch, (tuple, list)) else patch or 32)
        dim = self.encode_texts_raw(["x"]).shape[1]
        digest = hashlib.sha256()
        for key, value in sorted(self.model.state_dict().items()):
            digest.update(key.encode())
            digest.update(
                value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
                if value.ndim
                else str(float(value)).encode()
            )
        self.info = ModelInfo(
            id=shown,
            sha256=digest.hexdigest(),
            embed_dim=dim,
            image_size=size,
            patch_stride=self._patch,
            gsd_m=(0.1, 30.0),
            logit_scale=float(self.model.logit_scale.exp()),
            licence="see the model's own page",
            trained_on="see the model's own page",
            parameters=sum(p.numel() for p in self.model.parameters()),
        )

    def _pixels(self, images: UInt8) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(images)).to(self.device).permute(0, 3, 1, 2).float() / 255
        return (x - self._mean) / self._std

    @torch.inference_mode()
    def encode_images(self, images: UInt8) -> Float32:
        """[B, S, S, 3] uint8 -> [B, D] float32 unit norm."""
        out = [
            self.model.encode_image(self._pixels(images[i : i + _CHUNK]), normalize=True).float().cpu().numpy()
            for i in range(0, len(images), _CHUNK)
        ]
        return np.concatenate(out)

    @torch.inference_mode()
    def encode_texts_raw(self, texts: Sequence[str]) -> Float32:
        """Texts as they are -> [T, D] float32 unit norm."""
        ids = self._tokenizer(list(texts)).to(self.device)
        vectors: Float32 = self.model.encode_text(ids, normalize=True).float().cpu().numpy()
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """T texts -> [T, D] float32 unit norm."""
        return self.encode_texts_raw(check_texts(texts))

    @torch.inference_mode()
    def encode_patches(self, images: UInt8, method: str = "auto") -> Float32:
        """[B, H, W, 3] uint8 -> [B, H/p, W/p, D] float32; training-free patch features of the image transformer.

        Raises:
            ModelError: The image tower is no transformer.
            UsageError: There is no such method.
        """
        from rsvlm_core.localize.attention_edits import patch_features
        from rsvlm_core.localize.methods import EDITS

        if not hasattr(self.model.visual, "transformer"):
            raise ModelError(
                f"The model {self.info.id} has no patch features.", "Use the method 'tiles', or the bundled model."
            )
        edit, window = {
            "auto": ("clearclip", 3), "smooth": ("pooling", 5), "attention": ("maskclip", 1), "tokens": ("tokens", 1),
        }.get(method, (method, 3))  # fmt: skip
        if edit not in EDITS:
            raise UsageError(f"There is no patch method '{method}'.", f"Use auto, smooth or {', '.join(EDITS)}.")
        out = [
            patch_features(self.model.visual, self._pixels(images[i : i + _CHUNK]), edit, window).float().cpu().numpy()
            for i in range(0, len(images), _CHUNK)
        ]
        return np.concatenate(out)

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        """Always a ModelError: only our own models write captions."""
        raise ModelError(f"The model {self.info.id} cannot write captions.", "Use the bundled model.")


def fetch_hub(name: str, folder: Path) -> Path:
    """Download `hf-hub:ORG/NAME@COMMIT` into `folder`; the commit is required, so that nothing changes unseen.

    Every file is compared with the hash that the hub lists for it at that commit before anything is loaded.

    Raises:
        ModelError: No commit given, no connection, or a file that is not what is listed.
    """
    repo, at, revision = name.removeprefix("hf-hub:").partition("@")
    if not at or len(revision) != 40:
        raise ModelError(
            f"{name} does not say which revision.", "Write hf-hub:ORG/NAME@ and the 40 digits of a commit."
        )
    target = folder / repo.replace("/", "--") / revision
    if not (target / ".complete").is_file():
        try:
            from huggingface_hub import HfApi, snapshot_download

            listed = HfApi().model_info(repo, revision=revision, files_metadata=True).siblings or []
            snapshot_download(
                repo,
                revision=revision,
                local_dir=target,
                allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"],
            )
        except Exception as error:  # the hub's client raises many kinds
            raise ModelError(f"{name} cannot be fetched: {first_line(error)}.", _OFFLINE) from None
        told = {file.rfilename: file for file in listed}
        # What lies here is looked up in the list, never the other way round: a name in a list may lead anywhere.
        for here in [p for p in target.rglob("*") if p.is_file() and ".cache" not in p.relative_to(target).parts]:
            file = told.get(here.relative_to(target).as_posix())
            wanted = None if file is None else file.lfs.sha256 if file.lfs else file.blob_id
            if file is None or _hash(here, git=file.lfs is None) != wanted:
                here.unlink()
                raise ModelError(
                    f"{here.name} of {name} is not what the hub lists: damaged or changed on its way.",
                    "It was taken away; try again, and mistrust the connection if it happens again.",
                )
        (target / ".complete").touch()
    return target


def _hash(path: Path, git: bool) -> str:
    """What a hub lists of a file: its SHA-256, or the id of git's blob for files that are kept in git itself."""
    if not git:
        return file_sha256(path)
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
