"""Loads models, and keeps the last one so that the next request does not wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rsvlm_core.model.encoder import Encoder


class Encoders:
    """One loaded model at a time: a second would double the memory for a rare gain."""

    def __init__(self) -> None:
        self._key: tuple[str | None, ...] | None = None
        self._encoder: Encoder | None = None

    def get(self, model: str | None, device: str, runtime: str | None = None) -> Encoder:
        """The encoder of a model.

        Args:
            model: As `--model` takes it; None is the bundled one.
            device: "auto", "cpu", "cuda" or "cuda:N".
            runtime: "auto", "onnx" or "torch"; None asks the variable RSVLM_RUNTIME.

        Raises:
            ModelError: There is no such model, or it cannot be loaded.
        """
        if self._encoder is None or self._key != (model, device, runtime):
            from rsvlm_core.model import registry

            self._encoder = None  # let the old one go before the new one comes
            named = {} if runtime is None else {"runtime": runtime}
            self._encoder = registry.load_encoder(model, device, **named)
            self._key = (model, device, runtime)
        return self._encoder
