"""Where to compute."""

from __future__ import annotations

import torch

from rsvlm_core.errors import ModelError, first_line


def choose_device(name: str = "auto") -> torch.device:
    """A device by name; "auto" takes CUDA, else Apple's GPU, else the CPU.

    Raises:
        ModelError: Unknown, or not on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(
            f"The device '{name}' cannot be used: {first_line(error)}.", "Use auto or cpu."
        ) from None
    return device
