"""Keeps what a stopped segmentation has scored, without importing anything heavy before the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rsvlm_core.pipelines.halted import Halted


class Halts:
    """The scores of the last segmentation of one process, if it was stopped."""

    def __init__(self) -> None:
        self._halted: Halted | None = None

    def get(self) -> Halted:
        """The same one for every job."""
        if self._halted is None:
            from rsvlm_core.pipelines.halted import Halted

            self._halted = Halted()
        return self._halted

    def close(self) -> None:
        """Delete it."""
        if self._halted is not None:
            self._halted.forget()
