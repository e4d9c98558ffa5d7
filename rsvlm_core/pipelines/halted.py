"""What a stopped segmentation has scored: the same again goes on from there, or outlines what is finished."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rsvlm_core.imagery.raster import Raster
from rsvlm_core.localize.scoring import Scored
from rsvlm_core.scratch import scratch


class Halted:
    """The scores of one segmentation, of each raster in a temporary folder, until another one begins."""

    def __init__(self) -> None:
        self._asked: object = None
        self._scored: dict[int, Scored] = {}
        self._fingerprints: dict[int, str] = {}
        self._folders = ExitStack()

    def begin(self, asked: object) -> None:
        """Keep what there is of a segmentation, which is told from others by all that its scores depend on."""
        if asked != self._asked:
            self.forget()
            self._asked = asked

    def meet(self, number: int, raster: Raster) -> None:
        """See a raster again: scores of one that has changed since, a mosaic's files included, are let go."""
        if self._fingerprints.get(number) != raster.fingerprint:
            self._scored.pop(number, None)
            self._fingerprints[number] = raster.fingerprint

    def get(self, number: int, raster: Raster, make: Callable[[Path], Scored]) -> Scored:
        """The scores of a raster, begun or to begin.

        Args:
            number: Of the raster among those of the segmentation.
            raster: It, opened anew.
            make: Begins, with a folder that stays.
        """
        if number not in self._scored:
            self._scored[number] = make(self._folders.enter_context(scratch()))
        self._scored[number].source = raster
        return self._scored[number]

    def finished(self, number: int) -> float:
        """Share of a raster's area whose scores are final."""
        scored = self._scored.get(number)
        return 0.0 if scored is None else scored.finished / scored.height

    def share(self, rasters: int) -> float:
        """The mean of that over so many rasters."""
        return sum(map(self.finished, range(rasters))) / max(1, rasters)

    def forget(self) -> None:
        """Let everything go."""
        self._asked, self._scored, self._fingerprints = None, {}, {}
        self._folders.close()
