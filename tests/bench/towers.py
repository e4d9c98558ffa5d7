"""Throughput of the image tower in each runtime against open_clip's ViT-B/32 in eager torch; random images.

Rounds are interleaved, so that what else the machine does falls on all alike; the ratio of a round is between
neighbours in time, and the median of these is told. Random weights serve the ViT: speed does not depend on them.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from rsvlm_core.machine import threads
from rsvlm_core.model.folder import WEIGHTS, read_arrays
from rsvlm_core.settings import weights_dir

BATCH = 8
Run = Callable[[np.ndarray], object]


def vit_b32() -> tuple[Run, int]:
    """open_clip's ViT-B/32, eager, float32, as it is commonly used."""
    import open_clip
    import torch

    model = open_clip.create_model("ViT-B-32").eval()

    def run(images: np.ndarray) -> object:
        with torch.inference_mode():
            x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0
            return model.encode_image(x, normalize=True).numpy()

    return run, 224


def onnx() -> tuple[Run, int]:
    """The light runtime, as the product runs it."""
    from rsvlm_core.model.onnx_encoder import OnnxEncoder

    encoder = OnnxEncoder(weights_dir())
    return encoder.encode_images, encoder.info.image_size


def torch_eager() -> tuple[Run, int]:
    """Our model on torch, as the product runs it: channels last, float32."""
    from rsvlm_core.model.torch_encoder import TorchEncoder

    encoder = TorchEncoder.load(weights_dir(), device="cpu")
    return encoder.encode_images, encoder.info.image_size


def torch_planar() -> tuple[Run, int]:
    """The same with planes of colours, torch's own default."""
    import torch

    from rsvlm_core.model.torch_encoder import TorchEncoder

    encoder = TorchEncoder.load(weights_dir(), device="cpu")
    encoder.model.visual.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def run(images: np.ndarray) -> object:
        with torch.inference_mode():
            x = encoder.model.visual.normalise(torch.from_numpy(images).permute(0, 3, 1, 2)).contiguous()
            return encoder.model.encode_image(x).numpy()

    return run, encoder.info.image_size


def torch_bfloat16() -> tuple[Run, int]:
    """The same under autocast to bfloat16."""
    import torch

    eager, size = torch_eager()

    def run(images: np.ndarray) -> object:
        with torch.autocast("cpu", torch.bfloat16):
            return eager(images)

    return run, size


def torch_compiled() -> tuple[Run, int]:
    """The same through torch.compile; compiling itself is not counted."""
    import torch

    from rsvlm_core.model.torch_encoder import TorchEncoder

    encoder = TorchEncoder.load(weights_dir(), device="cpu")
    encoder.model.encode_image = torch.compile(encoder.model.encode_image)  # type: ignore[method-assign]
    return encoder.encode_images, encoder.info.image_size


def whole_graph() -> Any:
    """The image graph with its weights inside, for runtimes that know no weights from memory."""
    import onnx
    from onnx import numpy_helper

    proto = onnx.load(str(weights_dir() / "image.onnx"), load_external_data=False)
    weights = read_arrays(weights_dir() / WEIGHTS)
    for tensor in proto.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(weights[tensor.name]), tensor.name))
    return proto


def openvino(precision: str = "f32") -> tuple[Run, int]:
    """The same graph in OpenVINO."""
    import openvino

    core = openvino.Core()
    model = core.compile_model(
        core.read_model(whole_graph().SerializeToString()), "CPU",
        {"INFERENCE_NUM_THREADS": threads(), "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision},
    )
    return lambda images: model(images)[0], 224


def int8(calibration: np.ndarray, folder: Path) -> tuple[Run, int]:
    """The same graph quantised to 8 bits, activations too, calibrated on images."""
    import onnx
    import onnxruntime as ort
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter([{"images": calibration[i : i + 8]} for i in range(0, len(calibration), 8)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._left, None)

    whole, plain, small = (str(folder / name) for name in ("whole.onnx", "plain.onnx", "int8.onnx"))
    onnx.save(whole_graph(), whole)
    quant_pre_process(whole, plain, skip_symbolic_shape=True)
    quantize_static(
        plain, small, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8, op_types_to_quantize=["Conv", "Add", "Clip"],
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(small, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0], 224


def compare(runs: dict[str, tuple[Run, int]], base: str, rounds: int) -> list[dict[str, Any]]:
    """Time each, one after the other, again and again.

    Returns:
        For each: `name`; `per_s`, images a second in the median round; `ratio`, `low` and `high`: its speed by the
        base's in the same round, median, least and greatest.
    """
    rng = np.random.default_rng(0)
    took: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, (run, size) in runs.items():
            images = rng.integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
            start = time.perf_counter()
            run(images)
            if number:  # the first round warms up
                took[name].append(time.perf_counter() - start)
    rows = []
    for name in runs:
        ratios = [b / t for b, t in zip(took[base], took[name], strict=True)]
        rows.append({
            "name": name, "per_s": round(BATCH / statistics.median(took[name]), 1),
            "ratio": round(statistics.median(ratios), 2), "low": round(min(ratios), 2), "high": round(max(ratios), 2),
        })
    return rows


def measure(rounds: int = 12, compiled: bool = False) -> list[dict[str, Any]]:
    """Compare all that is installed with open_clip's ViT-B/32."""
    import torch

    torch.set_num_threads(threads())
    wanted: dict[str, Callable[[], tuple[Run, int]]] = {
        "open_clip ViT-B/32, torch eager": vit_b32,
        "bundled, ONNX Runtime": onnx,
        "bundled, torch eager, channels last": torch_eager,
        "bundled, torch eager, planar": torch_planar,
        "bundled, torch autocast bfloat16": torch_bfloat16,
    }
    if compiled:
        wanted["bundled, torch.compile"] = torch_compiled
    if find_spec("openvino"):
        wanted["bundled, OpenVINO float32"] = openvino
        wanted["bundled, OpenVINO bfloat16"] = lambda: openvino("bf16")
    with contextlib.ExitStack():
        runs = {name: make() for name, make in wanted.items()}
    return compare(runs, next(iter(wanted)), rounds)
