"""Indexing on a Ray cluster of several processes, with a machine that dies; indexes and tables behind an S3 server.

test_cluster.py runs these in a process of their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rsvlm_core.errors import Stopped, UsageError
from rsvlm_core.index.cluster import Cluster, build_on_ray
from rsvlm_core.index.plan import Wanted
from rsvlm_core.index.remote import RemoteFolder, fetched
from rsvlm_core.model.encoder import Float32, UInt8
from rsvlm_core.pipelines.search import search
from tests.core.indexes import TILES, build, same
from tests.fakes import FakeEncoder

ray = pytest.importorskip("ray", reason="Ray is not installed (requirements-scale.txt)")
pytestmark = pytest.mark.usefixtures("small_parts")
KEYS = {"key": "test", "secret": "test"}


class Watched(FakeEncoder):
    """Takes its time, and notes on which node it is at work."""

    def __init__(self, notes: str = "", seconds: float = 0.0) -> None:
        super().__init__()
        self._notes, self._seconds = notes, seconds

    def encode_images(self, images: UInt8) -> Float32:
        if self._notes:
            node = ray.get_runtime_context().get_node_id()
            (Path(self._notes) / f"{node}-{time.monotonic_ns()}").touch()
            time.sleep(self._seconds)
        return super().encode_images(images)


class Loads:
    """What makes the encoder where it is needed."""

    def __init__(self, notes: str = "", seconds: float = 0.0) -> None:
        self.notes, self.seconds = notes, seconds

    def __call__(self) -> Watched:
        return Watched(self.notes, self.seconds)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head and two machines of two cores each, all on this one; this process is connected."""
    from ray.cluster_utils import Cluster as Nodes

    small = {"object_store_memory": 100_000_000, "num_cpus": 2, "num_gpus": 0}
    cluster = Nodes(initialize_head=True, head_node_args={**small, "num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(**small)
        cluster.add_node(**small)
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def _build(source: str, out: str, load: Loads, fresh: bool = False, **more: Any) -> Any:
    wanted = Wanted(batch=8, fresh=fresh)
    return build_on_ray([source], out, load, FakeEncoder().info, Cluster("unused", 2), wanted, **more)


def test_a_machine_that_dies_changes_nothing(nodes: Any, scene: str, tmp_path: Path) -> None:
    build(scene, tmp_path / "local.rsindex")
    notes, out = tmp_path / "notes", tmp_path / "ray.rsindex"
    notes.mkdir()
    killed: list[str] = []

    def kill() -> None:
        """End the machine of the embedder that was last heard of, once another part is stored."""
        mortal = {n.node_id: n for n in nodes.list_all_nodes() if n is not nodes.head_node}
        while not killed:
            time.sleep(0.05)
            seen = sorted(notes.iterdir(), key=lambda p: p.stat().st_mtime_ns)
            at_work = [n for n in (p.name.partition("-")[0] for p in seen) if n in mortal]
            if at_work and list((out / "parts").glob("part-*")):
                killed.append(at_work[-1])
                nodes.remove_node(mortal[at_work[-1]], allow_graceful=False)

    watcher = threading.Thread(target=kill, daemon=True)
    watcher.start()
    report = _build(scene, str(out), Loads(str(notes), 0.5))
    watcher.join(60)
    assert killed and report.tiles == TILES
    same(tmp_path / "local.rsindex", out)
    for part in (out / "parts").iterdir():
        assert part.read_bytes() == (tmp_path / "local.rsindex" / "parts" / part.name).read_bytes()
    again = _build(scene, str(out), Loads(str(tmp_path / "gone")))
    assert again.embedded == 0 and again.tiles == TILES


def test_stopping_keeps_finished_parts(nodes: Any, scene: str, tmp_path: Path) -> None:
    polled = iter([False, False, True])
    with pytest.raises(Stopped, match="continue"):
        _build(scene, str(tmp_path / "x.rsindex"), Loads(), should_stop=lambda: next(polled))
    kept = len(list((tmp_path / "x.rsindex" / "parts").glob("part-*")))
    report = _build(scene, str(tmp_path / "x.rsindex"), Loads())
    assert kept >= 2 and report.embedded < TILES
    build(scene, tmp_path / "local.rsindex")
    same(tmp_path / "local.rsindex", tmp_path / "x.rsindex")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server on this machine, with a bucket."""
    server_of = pytest.importorskip("moto.server", reason="moto is not installed (requirements-dev.txt)")
    fs_of = pytest.importorskip("s3fs", reason="s3fs is not installed (requirements-scale.txt)")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    fs_of.S3FileSystem(**KEYS, endpoint_url=address).mkdir("country")
    yield address
    server.stop()


@pytest.fixture
def surroundings(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_ENDPOINT_URL", s3),
        ("RSVLM_CACHE", str(tmp_path / "cache")),
    ):
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("surroundings")
def test_an_index_in_object_storage(nodes: Any, s3: str, scene: str, tmp_path: Path) -> None:
    url, options = "s3://country/x.rsindex", {**KEYS, "endpoint_url": s3}
    report = _build(scene, url, Loads(), options=options)
    build(scene, tmp_path / "local.rsindex")
    assert report.tiles == TILES
    same(tmp_path / "local.rsindex", fetched(url))
    there = RemoteFolder(url).sizes()
    assert set(there) == {"collection.json"} | {f"parts/part-{n:05d}.parquet" for n in range(5)}
    RemoteFolder(url).remove("parts/part-00003.parquet")
    mended = _build(scene, url, Loads(), options=options)
    assert 0 < mended.embedded <= 16 and RemoteFolder(url).sizes() == there
    hits = search([url], ["red"], FakeEncoder(), top=5).hits
    assert hits.equals(search([str(tmp_path / "local.rsindex")], ["red"], FakeEncoder(), top=5).hits)
    afresh = _build(scene, url, Loads(), options=options, fresh=True)
    assert afresh.embedded == report.embedded
    there = RemoteFolder(url).sizes()
    assert len(there) == 6 and "parts/part-00000.parquet" not in there, "numbers are not used twice"
    same(tmp_path / "local.rsindex", fetched(url))


@pytest.mark.usefixtures("surroundings")
def test_a_table_in_object_storage(s3: str, scene: str, tmp_path: Path) -> None:
    pytest.importorskip("lancedb", reason="LanceDB is not installed (requirements-scale.txt)")
    from rsvlm_core.engines.opening import push_index
    from rsvlm_core.pipelines.served import search_served

    build(scene, tmp_path / "x.rsindex")
    options = {"aws_endpoint": s3, "allow_http": "true", "aws_region": "us-east-1"}
    place = "lancedb:s3://country/db"
    assert push_index(tmp_path / "x.rsindex", place, options)[1] > 0
    assert push_index(tmp_path / "x.rsindex", place, options)[1:] == (0, 0)
    served = search_served(place, ["red"], FakeEncoder(), options=options, top=5).hits
    assert served.equals(search([str(tmp_path / "x.rsindex")], ["red"], FakeEncoder(), top=5).hits)


def test_what_cannot_be_used(scene: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No raster"):
        build_on_ray([], str(tmp_path / "x.rsindex"), Loads(), FakeEncoder().info, Cluster())
    with pytest.raises(UsageError, match="cannot be reached"):
        RemoteFolder("nowhere://bucket/x.rsindex")
