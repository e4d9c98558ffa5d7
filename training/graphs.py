"""A model's computations as ONNX graphs without weights: `python -m training.graphs FOLDER`.

The graphs name the weights of `model.safetensors` and hold none of them, so they are small, and serve every model of
the same configuration. `rsvlm_core.model.onnx_encoder` brings both together.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from pathlib import Path
from typing import Any, cast

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsvlm_core.errors import ModelError, RsvlmError
from rsvlm_core.model.checkpoint import load_mammut
from rsvlm_core.model.encoder import SMOOTH_WINDOW
from rsvlm_core.model.graphs import CAPTION, DENSE, IMAGE, NEXT, SMOOTH, TEXT, WEIGHTS
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.scratch import whole

OPSET = 17
_BIG = 1024  # elements; constants of the architecture are smaller, and stay in the graph


class _Graph(nn.Module):
    """A computation of a model.

    Args:
        model: In eval mode.
    """

    def __init__(self, model: Mammut) -> None:
        super().__init__()
        self.model = model

    def pixels(self, images: Tensor) -> Tensor:
        """[B, H, W, 3] uint8 -> [B, 3, H, W] normalised."""
        return self.model.visual.normalise(images.permute(0, 3, 1, 2).float() / 255.0)


class _Image(_Graph):
    def forward(self, images: Tensor) -> Tensor:
        return self.model.encode_image(self.pixels(images))


class _Dense(_Graph):
    def forward(self, images: Tensor) -> Tensor:
        return self.model.visual.pixels(self.pixels(images))


class _Smooth(_Graph):
    """Smooth-Attention with the usual window and with window 1, on the grid of `Encoder.encode_patches`."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        visual = self.model.visual
        grid, _ = visual.grid(self.pixels(images))
        size = (images.shape[1] // visual.dense_stride, images.shape[2] // visual.dense_stride)

        def on_grid(z: Tensor) -> Tensor:
            z = F.interpolate(z.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
            return F.normalize(z.permute(0, 2, 3, 1), dim=-1)

        smooth, values = (F.normalize(visual.pool.smooth(grid, window), dim=-1) for window in (SMOOTH_WINDOW, 1))
        return on_grid(smooth), on_grid(values)


class _Text(_Graph):
    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        return self.model.encode_text(ids, valid)


class _Caption(_Graph):
    def forward(self, images: Tensor) -> Tensor:
        grid, _ = self.model.visual.grid(self.pixels(images))
        return self.model.text.image_context(grid)


class _Next(_Graph):
    def forward(self, ids: Tensor, context: Tensor) -> Tensor:
        logits = self.model.text.next_tokens(ids, torch.ones_like(ids, dtype=torch.bool), context)
        return logits[:, -1].float().log_softmax(-1)


def write_graphs(model: Mammut, folder: Path) -> list[Path]:
    """Write the graphs of a model beside its weights; each file appears whole.

    Args:
        model: In eval mode, on the CPU.
        folder: Of the model.

    Returns:
        The files.

    Raises:
        ModelError: The trunk is of a kind that has no graph.
    """
    if model.cfg.vision.timm_model_name is None:
        raise ModelError("Only models with a convolutional trunk can be written as graphs.", "Leave out --onnx.")
    size = model.cfg.vision.image_size
    images = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    ids = torch.ones(2, 5, dtype=torch.int64)
    context = torch.zeros(2, (size // model.visual.trunk.stride) ** 2, model.cfg.text.width)
    sized, many = {0: "batch", 1: "height", 2: "width"}, {0: "batch"}
    grid, words = {0: "batch", 1: "rows", 2: "cols"}, {0: "batch", 1: "length"}
    wanted: dict[str, tuple[nn.Module, dict[str, Tensor], dict[str, dict[int, str]], dict[str, dict[int, str]]]] = {
        IMAGE: (_Image(model), {"images": images}, {"images": sized}, {"embedding": many}),
        SMOOTH: (_Smooth(model), {"images": images}, {"images": sized}, {"smooth": grid, "attention": grid}),
        TEXT: (_Text(model), {"ids": ids, "valid": ids > 0}, {"ids": words, "valid": words}, {"embedding": many}),
        CAPTION: (_Caption(model), {"images": images}, {"images": many}, {"context": many}),
        NEXT: (_Next(model), {"ids": ids, "context": context}, {"ids": words, "context": many}, {"scores": many}),
    }
    if model.visual.dense is not None:
        wanted[DENSE] = (_Dense(model), {"images": images}, {"images": sized}, {"dense": grid})
    written = []
    for name, (module, inputs, axes_in, axes_out) in wanted.items():
        proto = _traced(module.eval(), inputs, axes_in, axes_out)
        _same_padding(proto)
        _without_weights(proto, model)
        path = folder / f"{name}.onnx"
        with whole(path) as part:
            part.write_bytes(proto.SerializeToString())
        written.append(path)
    return written


def _traced(
    module: nn.Module,
    inputs: dict[str, Tensor],
    axes_in: dict[str, dict[int, str]],
    axes_out: dict[str, dict[int, str]],
) -> Any:
    """The graph as the exporter gives it, every weight under its own name."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing says that shapes of the example become constants; tests see to it
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            cast(Any, buffer),
            input_names=list(inputs),
            output_names=list(axes_out),
            dynamic_axes={**axes_in, **axes_out},
            opset_version=OPSET,
            dynamo=False,
            # folding would put products of weights into the graph
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
        )
    return onnx.load_from_string(buffer.getvalue())


def _same_padding(proto: Any) -> None:
    """Give convolutions behind a padding of their own TensorFlow's "same" padding, which fits images of any size.

    The trunk computes it from the size of its input; tracing keeps what the example's size gives.
    """
    graph = proto.graph
    pads = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    for node in graph.node:
        if node.op_type != "Conv" or node.input[0] not in pads:
            continue
        node.input[0] = pads[node.input[0]].input[0]
        kept = [a for a in node.attribute if a.name not in ("pads", "auto_pad")]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute("auto_pad", "SAME_UPPER")])
    _prune(graph)


def _prune(graph: Any) -> None:
    """Take away nodes and weights that nothing uses."""
    used = {o.name for o in graph.output}
    kept = []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            kept.append(node)
            used.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [w for w in graph.initializer if w.name in used]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def _without_weights(proto: Any, model: Mammut) -> None:
    """Turn weights into references by their names in `model.safetensors`, and drop names that say nothing."""
    graph = proto.graph
    state = model.state_dict()
    renamed = {}
    for tensor in graph.initializer:
        name = tensor.name.removeprefix("model.")
        if name not in state:
            if len(tensor.raw_data) > 4 * _BIG:
                raise ValueError(f"{tensor.name} is a weight under another name")
            continue
        if tuple(tensor.dims) != tuple(state[name].shape):
            raise ValueError(f"{tensor.name} has another shape in the graph")
        renamed[tensor.name] = name
        tensor.name = name
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        del tensor.external_data[:]
        tensor.external_data.add(key="location", value=WEIGHTS)
    for number, node in enumerate(graph.node):
        node.name = str(number)
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
        node.input[:] = [renamed.get(name, name) for name in node.input]
    del graph.value_info[:]
    proto.ClearField("doc_string")
    proto.ClearField("metadata_props")
    _short_names(graph, {t.name for t in graph.initializer})


def _short_names(graph: Any, weights: set[str]) -> None:
    """Number what flows between nodes: the exporter's names are longer than all the rest."""
    fixed = weights | {v.name for v in (*graph.input, *graph.output)}
    short: dict[str, str] = {"": ""}
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [n if n in fixed else short.setdefault(n, f"v{len(short)}") for n in names]


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.graphs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a model's folder")
    folder = parser.parse_args(argv).folder
    try:
        files = write_graphs(load_mammut(folder)[0], folder)
    except RsvlmError as error:
        print(f"training.graphs: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{folder}: {', '.join(f'{p.name} {p.stat().st_size / 1000:.0f} kB' for p in files)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
