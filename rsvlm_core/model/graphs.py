"""ONNX graphs of a model, and the weights that they name, as sessions of ONNX Runtime."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import ModelError, first_line
from rsvlm_core.machine import threads

# Names of the graphs beside the weights, without their ending.
IMAGE, DENSE, SMOOTH, TEXT, CAPTION, NEXT = "image", "dense", "smooth", "text", "caption", "next"
WEIGHTS = "model.safetensors"


def available(folder: Path) -> bool:
    """Whether a model's folder has graphs and there is something to run them with."""
    return (folder / f"{IMAGE}.onnx").is_file() and find_spec("onnxruntime") is not None


class Graphs:
    """The graphs of a model's folder, each made ready when it is first asked for.

    Args:
        folder: Of the model.
        weights: Float32 arrays by name.
    """

    def __init__(self, folder: Path, weights: dict[str, NDArray[np.generic]]) -> None:
        self._folder, self._weights = folder, weights
        self._sessions: dict[str, Any] = {}
        self._lock = threading.Lock()

    def has(self, name: str) -> bool:
        """Whether there is such a graph."""
        return (self._folder / f"{name}.onnx").is_file()

    def run(self, name: str, inputs: dict[str, NDArray[np.generic]], output: str) -> NDArray[np.float32]:
        """One output of a graph.

        Raises:
            ModelError: The graph is missing or damaged, or the weights do not fit it.
        """
        with self._lock:
            if name not in self._sessions:
                self._sessions[name] = self._session(name)
        out: NDArray[np.float32] = self._sessions[name].run([output], inputs)[0]
        return out

    def _session(self, name: str) -> Any:
        import onnxruntime as ort

        path = self._folder / f"{name}.onnx"
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads()
        options.log_severity_level = 3
        # Threads that wait by spinning would take the cores from those that read the next tiles.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            graph = path.read_bytes()
            names = [key for key in self._weights if _named(key) in graph]  # others must not be given to it
            options.add_external_initializers(
                names, [ort.OrtValue.ortvalue_from_numpy(self._weights[key]) for key in names]
            )
            return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library has an exception class for every failure, none with a common parent
            raise ModelError(
                f"The graph {path} cannot be used: {first_line(error)}.",
                "Get the model's folder again, or use --runtime torch."
            ) from None


def _named(weight: str) -> bytes:
    """How the name of a weight stands in a graph: field 8 of a TensorProto, its length, its text."""
    text = weight.encode()
    return b"\x42" + bytes([len(text)]) + text
