"""Keeps what searches leave in memory for the next one, without importing anything heavy before the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rsvlm_core.pipelines.warm import Warm


class Searches:
    """Opened indexes and embedded texts of the searches of one process."""

    def __init__(self) -> None:
        self._warm: Warm | None = None

    def get(self) -> Warm:
        """The same one for every job."""
        if self._warm is None:
            from rsvlm_core.pipelines.warm import Warm

            self._warm = Warm()
        return self._warm
