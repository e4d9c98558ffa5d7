"""Is everything here that the engine needs, and what to do where it is not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rsvlm_core import __version__
from rsvlm_core.errors import RsvlmError, first_line, kind_and_line
from rsvlm_core.machine import threads
from rsvlm_core.settings import cache_dir, home_dir, weights_dir

if TYPE_CHECKING:
    from rsvlm_core.jobs.encoders import Encoders

Status = Literal["ok", "warning", "fault"]
MIN_PYTHON = (3, 10)
_ABSENT = "not installed"
LITTLE_DISK = 2 * 10**9  # bytes; an index of a large raster and its result fit well below

# package -> module: those that the engine cannot do without
PACKAGES = {
    "tokenizers": "tokenizers", "safetensors": "safetensors", "numpy": "numpy", "rasterio": "rasterio",
    "geopandas": "geopandas", "pyogrio": "pyogrio", "pyarrow": "pyarrow", "shapely": "shapely", "pyproj": "pyproj",
    "scipy": "scipy", "pillow": "PIL",
}  # fmt: skip
# either of these computes the model; torch needs all of its own
ONNX = "onnxruntime"
TORCH = {"torch": "torch", "torchvision": "torchvision", "open_clip_torch": "open_clip", "timm": "timm"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What.
        status: "ok", "warning" (works, but) or "fault" (does not work).
        value: What was found; holds no user name and no home path.
        remedy: What to do about it; empty where there is nothing to do.
    """

    name: str
    status: Status
    value: str
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """All findings, in the order in which they were looked for."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the engine works."""
        return all(f.status != "fault" for f in self.findings)

    def as_json(self) -> dict[str, object]:
        """`ok`, `problems` (a sentence each), `findings`, and `markdown`: the same for pasting into an issue."""
        return {
            "ok": self.ok,
            "problems": [f"{f.name}: {f.value}. {f.remedy}" for f in self.findings if f.status == "fault"],
            "findings": [asdict(f) for f in self.findings],
            "markdown": "\n".join(f"- **{f.name}** ({f.status}): {f.value}{_arrow(f)}" for f in self.findings),
        }

    def as_text(self) -> str:
        """A line a finding, its remedy below it."""
        marks = {"ok": "ok     ", "warning": "WARNING", "fault": "FAULT  "}
        lines = [f"{marks[f.status]}  {f.name}: {f.value}{_arrow(f)}" for f in self.findings]
        lines.append("Everything that is needed is here." if self.ok else "Something is missing: see the arrows above.")
        return "\n".join(lines)


def _arrow(finding: Finding) -> str:
    return f" → {finding.remedy}" if finding.remedy else ""


def examine(
    encoders: Encoders, model: str | None = None, device: str = "auto", runtime: str | None = None
) -> Report:
    """Look at versions, devices, threads, disk, models, and embed one tile and one text.

    Args:
        encoders: Where the model comes from.
        model: As `--model` takes it; None is the bundled one.
        device: As `--device` takes it.
        runtime: As `--runtime` takes it.
    """
    rooms: list[Callable[[], list[Finding]]] = [
        _program, _packages, _devices, _threads, _disk, _cache, _models,
        lambda: [_smoke(encoders, model, device, runtime)],
    ]
    findings: list[Finding] = []
    for look in rooms:
        findings += look()
    return Report(tuple(Finding(f.name, f.status, redact(f.value), redact(f.remedy)) for f in findings))


def redact(text: str) -> str:
    """The text without the home folder and the user's name, so that a report can be posted anywhere."""
    home = str(home_dir() or "")
    names = {os.environ.get(v, "") for v in ("USER", "USERNAME", "LOGNAME", "SUDO_USER")} | {Path(home).name}
    if len(home) > 1:
        text = text.replace(home, "~").replace(home.replace("\\", "/"), "~")
    for name in names:
        for prefix in ("/home/", "/Users/", "\\Users\\", "/mnt/c/Users/"):
            text = text.replace(f"{prefix}{name}", "~") if name else text
        if len(name) > 2 and name != "root":  # a shorter one would hit words by chance
            text = text.replace(name, "<user>")
    return text


def _program() -> list[Finding]:
    python = platform.python_version()
    new_enough = sys.version_info[:2] >= MIN_PYTHON
    return [
        Finding("rsvlm", "ok", __version__),
        Finding(
            "python", "ok" if new_enough else "fault", f"{python} {sys.executable}",
            "" if new_enough else "rsvlm needs Python 3.10 or newer: make its environment with one.",
        ),
        Finding("system", "ok", f"{platform.system()} {platform.release()} {platform.machine()}"),
    ]


def _packages() -> list[Finding]:
    return [*_runtimes(), *(_package(name, module) for name, module in PACKAGES.items())]


def _runtimes() -> list[Finding]:
    """ONNX Runtime or torch: one is enough, and one that is broken does not matter then."""
    onnx, torch = _package(ONNX, ONNX), [_package(name, module) for name, module in TORCH.items()]
    onnx_works, torch_works = onnx.status == "ok", all(f.status == "ok" for f in torch)
    if torch_works and not onnx_works:
        onnx = replace(onnx, status="warning", value=f"{onnx.value}; torch computes, which takes longer")
    if onnx_works and all(f.value == _ABSENT for f in torch):
        torch = [Finding(
            "torch", "ok", "not installed; the bundled model does not need it",
            "For graphics cards and other models: python -m pip install -r requirements.txt",
        )]
    elif onnx_works:
        torch = [f if f.status == "ok" else replace(f, status="warning") for f in torch]
    return [onnx, *torch]


def _package(name: str, module: str) -> Finding:
    """Imports it: what is installed but does not load (a wrong DLL, another ABI) is the commoner fault."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "fault", _ABSENT, "Run: python -m pip install -r requirements-light.txt")
    try:
        import_module(module)
    except Exception as error:  # whatever an import can raise is the finding
        reason = kind_and_line(error)
        return Finding(
            name, "fault", f"{version} does not load ({reason})",
            f"Run: python -m pip install --force-reinstall {name}",
        )
    return Finding(name, "ok", version)


def _devices() -> list[Finding]:
    found = [Finding("device cpu", "ok", f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")]
    try:
        import torch
    except Exception:  # said under `torch` already
        return found
    for i in range(torch.cuda.device_count()):
        try:
            free, total = torch.cuda.mem_get_info(i)
            value = f"{torch.cuda.get_device_name(i)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
            found.append(Finding(f"device cuda:{i}", "ok", value))
        except RuntimeError as error:
            found.append(Finding(
                f"device cuda:{i}", "warning", first_line(error),
                "Update the graphics driver, or work with --device cpu.",
            ))
    if len(found) == 1:
        found.append(Finding("device cuda", "ok", "none found; everything works on the processor, only slower"))
    return found


def _threads() -> list[Finding]:
    used, cores = threads(), os.cpu_count() or 1
    if used == 1 and cores > 1:
        return [Finding("threads", "warning", f"1 of {cores} cores", "Unset OMP_NUM_THREADS to use all cores.")]
    return [Finding("threads", "ok", f"{used} of {cores} cores")]


def _disk() -> list[Finding]:
    found = []
    for name, folder in (("temporary folder", Path(tempfile.gettempdir())), ("working folder", Path.cwd())):
        free = shutil.disk_usage(folder).free
        few = free < LITTLE_DISK
        found.append(Finding(
            name, "warning" if few else "ok", f"{free / 1e9:.1f} GB free", "Free some disk space." if few else "",
        ))
    return found


def _cache() -> list[Finding]:
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return [Finding(
            "cache folder", "fault", f"{folder} cannot be written ({error.strerror})",
            "Set RSVLM_CACHE to a folder that can.",
        )]
    return [Finding("cache folder", "ok", str(folder))]


def _models() -> list[Finding]:
    try:
        from rsvlm_core.model import registry

        infos = registry.list_models()
    except Exception as error:  # a damaged folder or a failed import is the finding
        return [Finding("models", "fault", f"{type(error).__name__}: {error}", "Install rsvlm again.")]
    if not infos:
        return [Finding("models", "fault", f"none in {weights_dir()}", "Install rsvlm again: it brings a model.")]
    return [
        Finding(f"model {i.id}", "ok",
                f"{i.parameters / 1e6:.1f} M weights, width {i.embed_dim}, sha256 {i.sha256[:12]}")
        for i in infos
    ]


def _smoke(encoders: Encoders, model: str | None, device: str, runtime: str | None) -> Finding:
    """One image and one text through the model."""
    try:
        import numpy as np

        start = time.monotonic()
        encoder = encoders.get(model, device, runtime)
        loaded = time.monotonic()
        side = encoder.info.image_size
        image = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
        both = np.concatenate([encoder.encode_images(image), encoder.encode_texts(["a village"])])
        lengths = np.linalg.norm(both, axis=1)
        name = type(encoder).__name__
        ended = time.monotonic()
        took = f"{name} loaded in {loaded - start:.1f} s, one tile and one text in {ended - loaded:.2f} s"
        if both.shape != (2, encoder.info.embed_dim) or not np.allclose(lengths, 1.0, atol=1e-3):
            remedy = "Try --runtime onnx, --runtime torch or --device cpu."
            return Finding("smoke embedding", "fault", f"wrong numbers; {took}", remedy)
        return Finding("smoke embedding", "ok", took)
    except RsvlmError as error:
        return Finding("smoke embedding", "fault", error.message, error.remedy)
    except Exception as error:  # whatever the model's libraries raise is the finding
        reason = kind_and_line(error)
        return Finding("smoke embedding", "fault", reason, "See the faults above; else try --device cpu.")
