"""What a job is given besides its parameters: models, and ways to report and to be stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rsvlm_core.jobs.encoders import Encoders
from rsvlm_core.jobs.halts import Halts
from rsvlm_core.jobs.searches import Searches
from rsvlm_core.progress import Progress, ShouldStop, never, silent


def _forget(kind: str, path: Path) -> None:
    """A `finished` that tells nobody."""


@dataclass
class Context:
    """Surroundings of one job.

    Attributes:
        encoders: Where models come from; shared between jobs of one process, so that they stay warm.
        progress: Told how far the work is.
        should_stop: Polled between batches.
        finished: Told of each output file as soon as it is complete: its kind and path.
        searches: What searches leave open; shared likewise.
        halts: What a stopped segmentation has scored; shared likewise, where anything can ask for it.
    """

    encoders: Encoders = field(default_factory=Encoders)
    progress: Progress = silent
    should_stop: ShouldStop = never
    finished: Callable[[str, Path], None] = _forget
    searches: Searches = field(default_factory=Searches)
    halts: Halts | None = None
