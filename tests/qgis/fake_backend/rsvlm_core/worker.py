"""A worker without an engine: real protocol, real result files, and every way of misbehaving.

A word in the text asks for a behaviour: `slow`, `crash`, `silent`, `garbage`, `huge`, `stubborn`, `error`, `bug`,
`unreadable`, `changed`, `oldprotocol` in the environment variable RSVLM_FAKE. Runs in QGIS's own Python, which has
osgeo.
"""

import json
import math
import os
import sys
import threading
import time

out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
lock = threading.Lock()
stop = threading.Event()
mute = threading.Event()
current = None


def send(kind, to=None, **content):
    try:
        with lock:
            out.write(json.dumps({"type": kind, "id": to, **content}).encode() + b"\n")
            out.flush()
    except BrokenPipeError:  # the window is gone
        os._exit(0)


def beat():
    while True:
        time.sleep(float(os.environ.get("RSVLM_FAKE_BEAT", "0.5")))
        if not mute.is_set():
            send("heartbeat", current, busy=current is not None)


def read(jobs):
    for line in sys.stdin.buffer:
        request = json.loads(line)
        number, op = request["id"], request["op"]
        if op == "hello":
            protocol = "9.0" if os.environ.get("RSVLM_FAKE") == "oldprotocol" else "1.0"
            send("hello", number, protocol=protocol, rsvlm="0.0", pid=os.getpid(), device="cpu")
        elif op == "cancel":
            if os.environ.get("RSVLM_FAKE") != "stubborn":
                stop.set()
            send("result", number, op="cancel", result={"cancelled": True})
        else:
            jobs.append(request)
    os._exit(0)  # end of file: the window is gone


def wait_or_stop(number, steps, pause, unit="tiles", keeps=False):
    """True when it was stopped."""
    for step in range(steps):
        send("progress", number, done=step + 1, total=steps, unit=unit)
        if stop.wait(pause):
            send("error", number, code="stopped", message="Stopped.", remedy="Finished parts are kept.", traceback="",
                 finished=step / steps if keeps else None)
            return True
    return False


def open_raster(params):
    """The first source; an index remembers its raster."""
    from osgeo import gdal

    source = (params.get("sources") or [params.get("source")])[0]
    if source.endswith(".rsindex"):
        with open(os.path.join(source, "collection.json")) as file:
            source = json.load(file)["source"]
    return gdal.Open(source)


def places(params):
    """Boxes in the raster's CRS: a spiral of squares in the raster's middle; plus its WKT."""
    raster = open_raster(params)
    a, b, _, d, _, f = raster.GetGeoTransform()
    width, height = raster.RasterXSize, raster.RasterYSize
    extent = params.get("extent") or [a, d + f * height, a + b * width, d]
    across, up = extent[2] - extent[0], extent[3] - extent[1]
    side = min(across, up) / 8
    count = min(int(params.get("top", 12)), 60)
    for number in range(count):
        angle, reach = number * 2.4, 0.42 * math.sqrt((number + 0.5) / count)
        x = extent[0] + across * (0.5 + reach * math.cos(angle)) - side / 2
        y = extent[1] + up * (0.5 + reach * math.sin(angle)) - side / 2
        yield [x, y, x + side, y + side], raster.GetProjection()


def regions(path):
    """The shapes of a vector file, all in one; None where there is none."""
    from osgeo import ogr

    source, found = ogr.Open(path) if path else None, None
    for feature in source.GetLayer(0) if source else ():
        shape = feature.GetGeometryRef().Clone()
        found = shape if found is None else found.Union(shape)
    return found


def write_layer(params, name, evidence=False):
    from osgeo import ogr, osr

    ogr.UseExceptions()
    path = params["out"]
    source = ogr.GetDriverByName("GPKG").CreateDataSource(path, ["VERSION=1.2"])
    system, layer, hits = osr.SpatialReference(), None, []
    texts, region = params.get("texts") or params.get("classes"), regions(params.get("within"))
    for rank, (box, wkt) in enumerate(places(params), 1):
        if layer is None:
            system.ImportFromWkt(wkt)
            layer = source.CreateLayer(name, system, ogr.wkbMultiPolygon if name == "masks" else ogr.wkbPolygon)
            for field, kind in (("rank", ogr.OFTInteger), ("score", ogr.OFTReal), ("confidence", ogr.OFTReal),
                                ("text", ogr.OFTString), ("source", ogr.OFTString), ("model", ogr.OFTString),
                                ("gsd_m", ogr.OFTReal)):
                layer.CreateField(ogr.FieldDefn(field, kind))
            if name == "masks":
                for field in ("area_m2", "mean_score"):
                    layer.CreateField(ogr.FieldDefn(field, ogr.OFTReal))
            if evidence:
                layer.CreateField(ogr.FieldDefn("evidence", ogr.OFTString))
            layer.StartTransaction()
        hit = {"rank": rank, "score": 0.3 - 0.002 * rank, "confidence": max(0.02, 0.97 - 0.017 * rank),
               "text": texts[(rank - 1) % len(texts)], "source": "fake", "model": "fake", "gsd_m": 0.5}
        if evidence:
            hit["evidence"] = "view" if rank % 2 else "outline"
        feature = ogr.Feature(layer.GetLayerDefn())
        for key, value in hit.items():
            feature.SetField(key, value)
        x0, y0, x1, y1 = box
        shape = ogr.CreateGeometryFromWkt(f"POLYGON(({x0} {y0},{x1} {y0},{x1} {y1},{x0} {y1},{x0} {y0}))")
        if region is not None and name == "masks" and not shape.Intersects(region):
            continue
        feature.SetGeometry(ogr.ForceToMultiPolygon(shape) if name == "masks" else shape)
        layer.CreateFeature(feature)
        hits.append({**hit, "gsd": 0.5, "bbox": box})
    layer.CommitTransaction()
    return hits


def write_raster(params, path):
    import numpy as np
    from osgeo import gdal

    raster = open_raster(params)
    count = len(params.get("texts", [None]))
    width, height = max(1, raster.RasterXSize // 16), max(1, raster.RasterYSize // 16)
    made = gdal.GetDriverByName("GTiff").Create(path, width, height, count, gdal.GDT_Float32)
    a, b, c, d, e, f = raster.GetGeoTransform()
    made.SetGeoTransform([a, b * raster.RasterXSize / width, c, d, e, f * raster.RasterYSize / height])
    made.SetProjection(raster.GetProjection())
    y, x = np.mgrid[0:height, 0:width]
    scores = 0.2 * np.exp(-((x / width - 0.4) ** 2 + (y / height - 0.6) ** 2) * 12)
    for band in range(count):
        made.GetRasterBand(band + 1).WriteArray(np.roll(5 * scores, 30 * band).astype("f4"))
        made.GetRasterBand(band + 1).SetDescription((params.get("texts") or [""] * count)[band])


def gdal_names(path):
    """What the bands of a raster are named."""
    from osgeo import gdal

    raster = gdal.Open(path)
    return [raster.GetRasterBand(band + 1).GetDescription() for band in range(raster.RasterCount)]


def result(request):
    op, params = request["op"], request["params"]
    if op == "search":
        hits = write_layer(params, "hits")
        return {"hits": hits, "tiles_searched": 1234, "seconds_index": 1.0, "seconds_query": 0.01,
                "outputs": {"hits": params["out"]}}
    if op == "segment":
        masks = write_layer(params, "masks")
        outputs = {"masks": params["out"]}
        for key in ("scores", "cosines", "mask_raster"):
            if params.get(key):
                write_raster(params, params[key])
                outputs[key] = params[key]
        return {"masks": masks, "count": len(masks), "threshold": {t: 0.21 for t in params["texts"]},
                "finished": 0.4 if params.get("finished") else 1.0, "outputs": outputs}
    if op == "polygons":
        kept = gdal_names(params["scores"])
        masks = write_layer({**params, "sources": [params["scores"]], "texts": kept, "top": 7}, "masks")
        return {"masks": masks, "count": len(masks), "threshold": dict(zip(kept, params["threshold"], strict=True)),
                "outputs": {"masks": params["out"]}}
    if op == "classify":
        tiles = write_layer(params, "classes")
        return {"tiles": len(tiles), "counts": {}, "outputs": {"classes": params["out"]}}
    if op == "heatmap":
        write_raster(params, params["out"])
        return {"outputs": {"heatmap": params["out"]}}
    if op == "build_index":
        os.makedirs(params["out"], exist_ok=True)
        with open(os.path.join(params["out"], "collection.json"), "w") as file:
            json.dump({"source": params["sources"][0]}, file)
        return {"index": params["out"], "tiles": 1234, "embedded": 1234, "skipped_nodata": 3, "failed": []}
    if op == "caption":
        return {"text": "many buildings and green trees are around a road ."}
    if op == "ask":
        if not params.get("out"):
            return {"text": "yes"}
        evidence = write_layer({**params, "texts": ["trees"], "top": 4}, "masks", evidence=True)
        return {"text": "yes", "evidence": evidence, "count": len(evidence), "outputs": {"masks": params["out"]}}
    if op == "models":
        if params.get("target") == "/no/such/folder":
            raise LookupError("model")
        return {"models": [{"id": name} for name in ("bundled", "town")][: 2 if params["action"] == "list" else 1]}
    if op == "check":
        return {"ok": True, "device": "cpu", "home": os.path.expanduser("~")}
    raise KeyError(op)


def run(request):
    global current
    number, params = request["id"], request["params"]
    current = number
    words = " ".join([*params.get("texts", []), params.get("text", ""), params.get("question", "")])
    stop.clear()
    try:
        if "crash" in words:
            send("progress", number, done=1, total=10, unit="tiles")
            print("last words of the engine", file=sys.stderr, flush=True)
            os.kill(os.getpid(), 11)
        if "exit" in words:
            os._exit(7)
        if "silent" in words:
            mute.set()
            time.sleep(1000)
        if "stubborn" in words:
            os.environ["RSVLM_FAKE"] = "stubborn"
            for step in range(1000):
                send("progress", number, done=step, total=1000, unit="tiles")
                time.sleep(0.1)
        if "garbage" in words:
            with lock:
                out.write(b"Warning: a library that prints\n\xff\xfe{]\n[1, 2]\n{\"no\": \"type\"}\n")
                out.flush()
            print("this goes to stderr")
        if "huge" in words:
            with lock:
                for _ in range(20):
                    out.write(b"x" * (1 << 20))
                out.flush()
        if "error" in words:
            send("error", number, code="raster", message="The raster has no CRS.", remedy="Set one.", traceback="")
            return
        if "bug" in words:
            send("error", number, code="internal", message="ValueError: x", remedy="Report it.", traceback="Trace")
            return
        steps = 100 if "slow" in words else 60 if os.environ.get("RSVLM_FAKE") == "slow" else 5
        if params.get("finished"):
            steps = 2
        if wait_or_stop(number, steps, 0.05, keeps=request["op"] == "segment"):
            return
        found = result(request)
        if "unreadable" in words or os.environ.get("RSVLM_FAKE") == "unreadable":
            found["failed"] = [
                f"3-{tile}-0: /data/a.tif cannot be read at rows {tile} to {tile + 9}." for tile in range(4)]
        if "changed" in words:
            found["changed"] = ["/data/a.tif has changed since it was indexed; run rsvlm index again to see it."]
        send("result", number, op=request["op"], result=found)
    except LookupError:
        send("error", number, code="model", message="There is no model 'x'.", remedy="Name a folder.", traceback="")
    except Exception as error:  # as the real one does
        send("error", number, code="internal", message=f"{type(error).__name__}: {error}", remedy="", traceback="")
    finally:
        current = None


def main():
    jobs = []
    for work in (beat, lambda: read(jobs)):
        threading.Thread(target=work, daemon=True).start()
    while True:
        if jobs:
            run(jobs.pop(0))
        time.sleep(0.01)


if __name__ == "__main__":
    main()
