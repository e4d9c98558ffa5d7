"""Index parts on their way into a served table: what each piece is called, and what its rows look like there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from rsvlm_core.errors import SearchIndexError
from rsvlm_core.index.manifest import IndexManifest
from rsvlm_core.index.parts import count_rows, read_notes, read_outlines, read_table
from rsvlm_core.index.places import corners_of
from rsvlm_core.index.store import VectorIndex
from rsvlm_core.model.encoder import ModelInfo

Ints = NDArray[np.int64]
FORMAT = 1  # of served tables; raised when older programs could not read them rightly


@dataclass(frozen=True)
class Card:
    """What a served table holds, stored with it.

    Attributes:
        model: Id of the model.
        model_sha256: Hash of its weights.
        dimensions: Width of a vector.
        wkt: CRS of the first raster, in which results are given.
        format: Version of the table; tables from before there was one are of the first.
    """

    model: str
    model_sha256: str
    dimensions: int
    wkt: str
    format: int = FORMAT

    @classmethod
    def of(cls, manifest: IndexManifest) -> Card:
        """That of an index."""
        return cls(manifest.model, manifest.model_sha256, manifest.dimensions, manifest.sources[0].wkt)

    @classmethod
    def from_json(cls, text: str | bytes, name: str) -> Card:
        """Read what `to_json` wrote.

        Raises:
            SearchIndexError: It is something else, or of a newer version.
        """
        try:
            facts = json.loads(text)
            if int(facts.get("format", FORMAT)) > FORMAT:
                raise SearchIndexError(
                    f"{name} was made by a newer version (table format {facts['format']}).",
                    "Update rsvlm, or push to a new name.",
                )
            card = cls(**facts)
            texts = (card.model, card.model_sha256, card.wkt)
            if not all(isinstance(t, str) for t in texts) or not 1 <= int(card.dimensions) <= 1_000_000:
                raise TypeError("a fact is of another kind")
            return card
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise SearchIndexError(
                f"{name} was not made by rsvlm serve-index push.", "Push an index there, under a name that is free."
            ) from error

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    @property
    def crs(self) -> CRS:
        """The CRS of results.

        Raises:
            SearchIndexError: It cannot be read.
        """
        try:
            return CRS.from_wkt(self.wkt)
        except CRSError as error:
            raise SearchIndexError(
                "The served table has a coordinate reference system that cannot be read.", "Push the index again."
            ) from error

    def check(self, model: ModelInfo | Card, name: str) -> None:
        """Refuse vectors of another model.

        Raises:
            SearchIndexError: The table was made with another model.
        """
        sha256 = model.model_sha256 if isinstance(model, Card) else model.sha256
        if sha256 != self.model_sha256:
            raise SearchIndexError(
                f"{name} holds vectors of the model {self.model} ({self.model_sha256[:12]}); these are of another "
                f"({sha256[:12]}) and cannot be compared with them.",
                f"Use --model {self.model}, or push to a new name.",
            )


@dataclass(frozen=True)
class Piece:
    """One part of an index.

    Attributes:
        key: 63 bits that name its content: another content has another key.
        path: The file.
        rows: Tiles in it.
        order: Position of its first row in the index.
    """

    key: int
    path: Path
    rows: int
    order: int

    def table(self) -> pa.Table:
        """Its rows as they are served.

        Columns: `piece` (int64, the key), `order` (int64, the row of the index), `tile_id`, `source`, `gsd_m`,
        `xmin`, `ymin`, `xmax`, `ymax` (degrees), `corners` (8 × float64, see `index.places`), `vector`.
        """
        rows = read_table(self.path, ["tile_id", "source", "gsd_m", "bbox", "geometry", "embedding"])
        box = rows.column("bbox").combine_chunks()
        corners = corners_of(read_outlines(self.path, rows.column("geometry"))).reshape(-1)
        return pa.table(
            {
                "piece": np.full(len(rows), self.key, np.int64),
                "order": np.arange(self.order, self.order + len(rows), dtype=np.int64),
                "tile_id": rows.column("tile_id"),
                "source": rows.column("source"),
                "gsd_m": rows.column("gsd_m"),
                **{side: box.field(side) for side in ("xmin", "ymin", "xmax", "ymax")},
                "corners": pa.FixedSizeListArray.from_arrays(pa.array(corners), 8),
                "vector": rows.column("embedding").combine_chunks(),
            }
        )


def pieces_of(index: VectorIndex) -> Iterator[Piece]:
    """The parts of an index that hold rows, in order.

    A part's key follows from its raster, the model, its number and its size, so that a part that was made again with
    other content counts as another piece.

    Raises:
        SearchIndexError: A part is damaged.
    """
    order = 0
    for path in index.parts:
        rows, notes = count_rows(path), read_notes(path)
        if notes is None:
            raise SearchIndexError(f"{path} is damaged.", "Run rsvlm index again: it makes that part anew.")
        if rows:
            facts = json.dumps([path.name, path.stat().st_size, rows, notes.fingerprint, notes.model_sha256])
            key = int.from_bytes(hashlib.sha256(facts.encode()).digest()[:8], "big") >> 1
            yield Piece(key, path, rows, order)
        order += rows
