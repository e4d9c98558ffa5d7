"""What stays in memory between searches of one process, so that a repeated one answers at once."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsvlm_core.engines.folder import FolderEngine
from rsvlm_core.index.files import LOCK, MANIFEST, PARTS
from rsvlm_core.index.store import open_index
from rsvlm_core.model.encoder import Encoder, Float32, ModelInfo

# Opened indexes are memory maps and cost little; a client that walks through thousands still has to end somewhere.
INDEXES = 32
TEXTS = 4096

Stamp = tuple[tuple[int, ...], ...]


class Warm:
    """Opened indexes and embedded texts of earlier searches.

    An index is taken as it was while its manifest and its folder of parts have not been touched: two looks at the
    file system. Files of parts appear by renaming, which touches the folder.
    """

    def __init__(self) -> None:
        self._engines: OrderedDict[Path, tuple[Stamp, FolderEngine]] = OrderedDict()
        self._built: dict[tuple[Path, str | None], Stamp] = {}
        self._texts: OrderedDict[tuple[str, str], Float32] = OrderedDict()

    def engine(self, folder: Path, info: ModelInfo | None) -> FolderEngine:
        """An opened index; see `index.store.open_index`, whose errors it raises."""
        folder, stamp = folder.absolute(), _stamp(folder)
        kept = self._engines.pop(folder, None)
        if kept is None or stamp is None or kept[0] != stamp:
            kept = (stamp or (), FolderEngine(open_index(folder, None)))
        if info is not None:
            kept[1].index.manifest.check_model(info, folder)
        self._engines[folder] = kept
        while len(self._engines) > INDEXES:
            self._engines.popitem(last=False)
        return kept[1]

    def is_built(self, folder: Path, extent: str | None) -> bool:
        """Whether a whole index, or an extent of it, was found complete and has not been touched since."""
        stamp = _stamp(folder)
        if stamp is None or self._built.get((folder, extent)) != stamp:
            return False
        with contextlib.suppress(OSError):  # its age says how long it was not used
            os.utime(folder / LOCK)
        return True

    def built(self, folder: Path, extent: str | None) -> None:
        """Remember that an index, or an extent of it, is complete and has no tile that should be tried again."""
        stamp = _stamp(folder)
        if stamp is not None:
            self._built[folder, extent] = stamp

    def encode(self, encoder: Encoder, texts: Sequence[str]) -> Float32:
        """[T, D] as `encoder.encode_texts`; texts that were embedded before are not embedded again."""
        new = [t for t in dict.fromkeys(texts) if (encoder.info.sha256, t) not in self._texts]
        if new:
            for text, vector in zip(new, encoder.encode_texts(new), strict=True):
                self._texts[encoder.info.sha256, text] = vector
        found = np.stack([self._texts[encoder.info.sha256, text] for text in texts])
        for text in texts:
            self._texts.move_to_end((encoder.info.sha256, text))
        while len(self._texts) > TEXTS:
            self._texts.popitem(last=False)
        return found


def _stamp(folder: Path) -> Stamp | None:
    try:
        states = [os.stat(folder / name) for name in (MANIFEST, PARTS)]
    except OSError:
        return None
    return tuple((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for s in states)
