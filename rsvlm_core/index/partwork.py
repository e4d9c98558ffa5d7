"""One part in the making: its tiles judged, embedded, written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pyproj import CRS

from rsvlm_core.errors import RasterError
from rsvlm_core.imagery.projecting import LONLAT, project
from rsvlm_core.index.decode import Seen
from rsvlm_core.index.manifest import Source
from rsvlm_core.index.parts import PartNotes, write_part
from rsvlm_core.model.encoder import Encoder, Float32, UInt8
from rsvlm_core.tiles.grid import Tile


class PartWork:
    """Embeds the tiles of one part, in batches that depend on the part alone.

    Args:
        entry: The raster that the part is of.
        encoder: The model.
        batch: Tiles that the model sees at once.

    Attributes:
        tiles: Those that are stored, as far as known.
        valid: Their shares of valid pixels.
    """

    def __init__(self, entry: Source, encoder: Encoder, batch: int) -> None:
        self._entry, self._encoder, self._batch = entry, encoder, batch
        self._images: list[UInt8] = []
        self._vectors: list[Float32] = []
        self._failed: list[tuple[str, str]] = []
        self._skipped, self._best_skipped = 0, 0.0
        self.tiles: list[Tile] = []
        self.valid: list[float] = []

    @property
    def waiting(self) -> int:
        """Tiles read and not yet embedded."""
        return len(self._images)

    def add(self, tile: Tile, got: Seen | RasterError) -> None:
        """Take a tile; embeds whenever a batch is full."""
        if isinstance(got, RasterError):
            self._failed.append((tile.tile_id, got.message))
            return
        fraction = got.valid_fraction
        if got.image is None or fraction < self._entry.min_valid * self._inside(tile):
            self._skipped += 1
            self._best_skipped = max(self._best_skipped, fraction)
            return
        self.tiles.append(tile)
        self.valid.append(fraction)
        self._images.append(got.image)
        if len(self._images) == self._batch:
            self._encode()

    def finish(self) -> Float32:
        """[N, D] vectors of `tiles`; tiles for which the model gave no numbers are moved to the failed ones."""
        self._encode()
        width = self._encoder.info.embed_dim
        vectors = np.concatenate(self._vectors) if self._vectors else np.zeros((0, width), np.float32)
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            for position in np.flatnonzero(~finite):
                self._failed.append((self.tiles[position].tile_id, "the model gave no numbers for it"))
            kept = np.flatnonzero(finite)
            self.tiles, self.valid = [self.tiles[i] for i in kept], [self.valid[i] for i in kept]
        return vectors[finite]

    def notes(self, tiles: int) -> PartNotes:
        """What to store besides the rows."""
        return PartNotes(
            self._entry.fingerprint, self._encoder.info.sha256, tiles, self._skipped, self._best_skipped,
            tuple(self._failed),
        )

    def store(self, path: Path, crs: CRS, count: int) -> PartNotes:
        """Embed what is left and write the part.

        Args:
            path: Of the part.
            crs: Of the tiles' outlines.
            count: Tiles of the part, those that are not stored included.

        Returns:
            The notes that were written with it.

        Raises:
            OutputError: It cannot be written.
        """
        vectors = self.finish()
        outlines = project(np.array([t.geometry for t in self.tiles], dtype=object), crs, LONLAT)
        notes = self.notes(count)
        write_part(path, self.tiles, self.valid, outlines, vectors, notes)
        return notes

    def _encode(self) -> None:
        if self._images:
            self._vectors.append(self._encoder.encode_images(np.stack(self._images)).astype(np.float32, copy=False))
            self._images = []

    def _inside(self, tile: Tile) -> float:
        """Share of a tile that lies in the raster: below 1 only where the raster is smaller than the tile."""
        w, entry = tile.window, self._entry
        width = min(w.col + w.width, entry.width) - max(w.col, 0.0)
        height = min(w.row + w.height, entry.height) - max(w.row, 0.0)
        return float(min(1.0, width * height / (w.width * w.height)))
