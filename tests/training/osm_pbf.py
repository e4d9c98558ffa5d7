"""The smallest OpenStreetMap extract: closed ways with tags, as the PBF format wants them (wiki: PBF Format)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _packed(values: Iterable[int]) -> bytes:
    return b"".join(map(_varint, values))


def _deltas(values: Sequence[int]) -> bytes:
    """Differences, zigzag: as signed numbers are packed."""
    steps = [b - a for a, b in zip([0, *values], values, strict=False)]
    return _packed(2 * s if s >= 0 else -2 * s - 1 for s in steps)


def _block(kind: bytes, content: bytes) -> bytes:
    blob = _field(1, content)
    header = _field(1, kind) + _field(3, len(blob))
    return len(header).to_bytes(4, "big") + header + blob


def write_pbf(path: Path, areas: Sequence[tuple[Mapping[str, str], Sequence[tuple[float, float]]]]) -> Path:
    """Write areas, each tags and a ring of (longitude, latitude) whose last point is not repeated."""
    strings = [b"", *sorted({w.encode() for tags, _ in areas for pair in tags.items() for w in pair})]
    nodes = [point for _, ring in areas for point in ring]
    ids = list(range(1, len(nodes) + 1))
    dense = _field(1, _deltas(ids))
    for number, axis in ((8, 1), (9, 0)):
        dense += _field(number, _deltas([round(p[axis] * 1e7) for p in nodes]))
    ways, first = b"", 1
    for k, (tags, ring) in enumerate(areas):
        refs = [*range(first, first + len(ring)), first]
        first += len(ring)
        way = _field(1, k + 1)
        for number, words in ((2, tags.keys()), (3, tags.values())):
            way += _field(number, _packed(strings.index(w.encode()) for w in words))
        ways += _field(3, way + _field(8, _deltas(refs)))
    table = _field(1, b"".join(_field(1, s) for s in strings))
    path.write_bytes(
        _block(b"OSMHeader", _field(4, b"OsmSchema-V0.6") + _field(4, b"DenseNodes"))
        + _block(b"OSMData", table + _field(2, _field(2, dense)) + _field(2, ways)))
    return path
