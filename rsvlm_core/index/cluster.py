"""Parts made on a Ray cluster: tasks read tiles, actors that hold the model embed and write.

The same plan, the same parts and the same batches as in one process, so that the files are the same. One row of the
data set is one part. What runs on a machine that dies runs again elsewhere, and a part that is written twice is
written the same.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pyproj import CRS

from rsvlm_core.errors import RasterError, UsageError, first_line
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index.builder import existing, prepare
from rsvlm_core.index.decode import Seen, TileReader
from rsvlm_core.index.files import MANIFEST, PARTS, part_name
from rsvlm_core.index.lock import WriterLock
from rsvlm_core.index.manifest import IndexManifest, Part, Source
from rsvlm_core.index.parts import PartNotes, read_notes
from rsvlm_core.index.partwork import PartWork
from rsvlm_core.index.plan import Wanted, grid_of, plan
from rsvlm_core.index.remote import Options, RemoteFolder, cached, is_remote
from rsvlm_core.index.work import IndexReport, Work
from rsvlm_core.model.encoder import Encoder, ModelInfo
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from rsvlm_core.tiles.grid import Tile

# Memory of a task for each pixel that it reads: colours, twice while they are packed, and some room.
_READER_BYTES = 8

LoadEncoder = Callable[[], Encoder]
Read = list[tuple[Tile, "Seen | str"]]


@dataclass(frozen=True)
class Cluster:
    """Where to work, and with how much.

    Attributes:
        address: Of the cluster, as `ray.init` takes it: `auto`, `HOST:6379`, `ray://HOST:10001`; `local` starts one on
            this machine for the run.
        embedders: Processes that hold the model; None is one a GPU, or one for every four processor cores.
        cpus: Cores of an embedder.
        gpus: GPUs of an embedder; None is one where the cluster has any.
    """

    address: str = "auto"
    embedders: int | None = None
    cpus: float = 1.0
    gpus: float | None = None


def build_on_ray(
    sources: Sequence[str],
    out: str,
    load: LoadEncoder,
    info: ModelInfo,
    cluster: Cluster,
    wanted: Wanted = Wanted(),  # noqa: B008 - frozen
    *,
    options: Options | None = None,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> IndexReport:
    """As `builder.build_index`, on a cluster.

    Rasters must have the same names on all machines: a shared disk, or URLs. Writers lock the folder; nothing locks a
    URL, so run one at a time.

    Args:
        sources: Rasters.
        out: The folder, on a disk that all machines share, or a URL that fsspec can write.
        load: Makes the model, on the machine that embeds; must be picklable.
        info: Of that model.
        cluster: Where.
        wanted: Of which tiles, and how.
        options: Of the storage at a URL.
        progress: Told of tiles.
        should_stop: Polled for every part.

    Raises:
        UsageError: Ray is not installed, or the cluster cannot be reached.
        RsvlmError: As there.
    """
    if not sources:
        raise UsageError("No raster was given.", "Name at least one.")
    started = time.monotonic()
    remote = RemoteFolder(out, options) if is_remote(out) else None
    folder = Path(out) if remote is None else cached(remote.url)
    prepare(folder)
    with WriterLock(folder) as lock, _connected(cluster) as ray:
        there = {} if remote is None else remote.sizes()
        if remote is not None:
            (folder / MANIFEST).unlink(missing_ok=True)
            if MANIFEST in there:
                remote.get(MANIFEST, folder / MANIFEST)
        before = existing(folder, info, wanted)
        used = [int(Path(name).stem.removeprefix("part-")) for name in there if name.startswith(f"{PARTS}/part-")]
        before = replace(before, next_part=max([before.next_part, *(number + 1 for number in used)]))
        manifest, names = plan(before, sources, wanted, info)
        work = RayWork(
            folder, manifest, lock, progress, should_stop, ray=ray, load=load, cluster=cluster,
            batch=max(1, wanted.batch), remote=remote, there=there,
        )
        work.save()
        work.clean()
        return replace(work.run(names), seconds=time.monotonic() - started)


class RayWork(Work):
    """See `Work`.

    Args:
        folder: The index, or where the manifest of a remote one is kept here.
        manifest: What it shall hold.
        lock: Held on the folder.
        progress: Told of tiles.
        should_stop: Polled for every part.
        ray: The module, connected.
        load: Makes the model.
        cluster: With how much to work.
        batch: Tiles that the model sees at once.
        remote: Where parts go; None is the folder.
        there: Names and sizes of what is at the remote place.
    """

    def __init__(
        self, folder: Path, manifest: IndexManifest, lock: WriterLock, progress: Progress, should_stop: ShouldStop, *,
        ray: Any, load: LoadEncoder, cluster: Cluster, batch: int, remote: RemoteFolder | None, there: dict[str, int],
    ) -> None:
        super().__init__(folder, manifest, lock, progress, should_stop)
        self._ray, self._load, self._cluster, self._batch = ray, load, cluster, batch
        self._remote, self._there = remote, there

    def save(self) -> None:
        """Write the manifest, here and at the remote place."""
        super().save()
        if self._remote is not None:
            self._remote.put(self._folder / MANIFEST, MANIFEST)

    def clean(self) -> None:
        """Remove what the manifest no longer names."""
        super().clean()
        if self._remote is not None:
            named = {f"{PARTS}/{part_name(p.number)}" for p in self._manifest.parts}
            for name in [n for n in self._there if n.startswith(f"{PARTS}/") and n not in named]:
                self._remote.remove(name)
                del self._there[name]

    def notes_of(self, part: Part) -> PartNotes | None:
        """The notes of a part, read once; None where it has to be made."""
        if self._remote is None:
            return super().notes_of(part)
        if part.number not in self._read:
            name = f"{PARTS}/{part_name(part.number)}"
            self._read[part.number] = read_notes(self._remote.open(name)) if name in self._there else None
        return self._read[part.number]

    def embed(self, entry: Source, todo: Sequence[tuple[int, Part]]) -> None:
        """Make parts, as many at a time as the cluster can."""
        if not todo:
            return
        data = self._ray.data
        reading = _Reading(entry, self._manifest.image_size, self._manifest.overlap, 2 * self._batch)
        writing = _Writing(entry, self._batch, str(self._folder / PARTS), self._remote)
        workers, cpus, gpus = _embedders(self._ray, self._cluster)
        pool = data.ActorPoolStrategy(size=min(workers, len(todo)))
        # told apart by what they need, so that Ray reads in processes of their own while others embed
        most = max(part.stop - part.start for _, part in todo) * self._manifest.image_size**2 * _READER_BYTES
        rows = [{"area": area, **asdict(part)} for area, part in todo]
        parts = {part.number: part for _, part in todo}
        made = (
            data.from_items(rows, override_num_blocks=len(rows))
            .map(reading, num_cpus=1, memory=most)
            .map(
                _Embedder, fn_constructor_args=(self._load, writing), compute=pool, num_cpus=cpus, num_gpus=gpus,
            )
        )
        for row in made.iter_rows():
            check(self._should_stop, "Finished parts are kept; run the same again to continue.")
            part, notes = parts[row["number"]], row["notes"].value
            self.made(part, notes)
            self._done += part.stop - part.start
            self._progress(self._done, self._total, "tiles")


@dataclass(frozen=True)
class _Carried:
    """What Ray hands from one process of its own to another as it is; a bare list would become a tensor."""

    value: Any


@dataclass(frozen=True)
class _Reading:
    """A task: the pixels of one part. Called with the part's numbers."""

    entry: Source
    image_size: int
    overlap: float
    ahead: int

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        with Raster.open(self.entry.source, bands=self.entry.bands, stretch=self.entry.stretch) as raster:
            grid = grid_of(raster, self.entry, row["area"], self.image_size, self.overlap)
            tiles = list(grid.tiles(row["start"], row["stop"]))
            wkt = raster.crs.to_wkt()
        with TileReader(self.entry, self.image_size, ahead=self.ahead) as reader:
            got: Read = [(t, p.message if isinstance(p, RasterError) else p) for t, p in reader.read(tiles)]
        return {"number": row["number"], "wkt": wkt, "tiles": _Carried(got)}


@dataclass(frozen=True)
class _Writing:
    """Where a part goes, and how it is embedded."""

    entry: Source
    batch: int
    folder: str
    remote: RemoteFolder | None


class _Embedder:
    """An actor: holds the model, embeds one part after the other, writes each, and answers with its notes."""

    def __init__(self, load: LoadEncoder, writing: _Writing) -> None:
        self._encoder, self._writing = load(), writing

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        got: Read = row["tiles"].value
        work = PartWork(self._writing.entry, self._encoder, self._writing.batch)
        for tile, seen in got:
            work.add(tile, RasterError(seen) if isinstance(seen, str) else seen)
        name, crs = part_name(row["number"]), CRS.from_wkt(row["wkt"])
        remote = self._writing.remote
        if remote is None:
            notes = work.store(Path(self._writing.folder) / name, crs, len(got))
        else:
            with tempfile.TemporaryDirectory() as here:
                notes = work.store(Path(here) / name, crs, len(got))
                remote.put(Path(here) / name, f"{PARTS}/{name}")
        return {"number": row["number"], "notes": _Carried(notes)}


def _embedders(ray: Any, cluster: Cluster) -> tuple[int, float, float]:
    """How many embedders, and the cores and GPUs of each."""
    has = ray.cluster_resources()
    gpus = cluster.gpus if cluster.gpus is not None else (1.0 if has.get("GPU", 0) >= 1 else 0.0)
    room = has.get("GPU", 0) / gpus if gpus else has.get("CPU", 1) / 4
    return cluster.embedders or max(1, int(room)), cluster.cpus, gpus


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    """Ray, connected for the run; a connection that exists already is used and left."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError("Ray is not installed.", "Install it: pip install -r requirements-scale.txt.") from error
    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(address=cluster.address, log_to_driver=False, include_dashboard=None)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"There is no Ray cluster at {cluster.address}: {first_line(error)}.",
            "Start one with ray start --head, name it with --address, or use --address local.",
        ) from error
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield ray
    finally:
        ray.shutdown()
