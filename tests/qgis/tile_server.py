"""An XYZ tile server and a WMS over one raster, on loopback, in a process of its own: `tile_server.py RASTER`.

Prints its port. `/xyz/z/x/y.png`, `/flaky/z/x/y.png` (every tile fails the first time), `/holes/z/x/y.png` (tiles with
even x and y never arrive), `/wms?`. `/count` tells how many tiles were asked for.
"""

import sys
from collections import Counter
from http.server import ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, urlparse

from osgeo import gdal
from serving import serve

gdal.UseExceptions()
HALF = 20037508.342789244
CAPABILITIES = """<?xml version="1.0"?>
<WMS_Capabilities version="1.3.0" xmlns="http://www.opengis.net/wms" xmlns:xlink="http://www.w3.org/1999/xlink">
<Service><Name>WMS</Name><Title>test</Title><OnlineResource xlink:href="{url}"/></Service>
<Capability><Request>
<GetCapabilities><Format>text/xml</Format>
<DCPType><HTTP><Get><OnlineResource xlink:href="{url}"/></Get></HTTP></DCPType></GetCapabilities>
<GetMap><Format>image/png</Format>
<DCPType><HTTP><Get><OnlineResource xlink:href="{url}"/></Get></HTTP></DCPType></GetMap>
</Request><Exception><Format>XML</Format></Exception>
<Layer queryable="0"><Name>ortho</Name><Title>ortho</Title><CRS>EPSG:3857</CRS>
<EX_GeographicBoundingBox><westBoundLongitude>-180</westBoundLongitude><eastBoundLongitude>180</eastBoundLongitude>
<southBoundLatitude>-85</southBoundLatitude><northBoundLatitude>85</northBoundLatitude></EX_GeographicBoundingBox>
<BoundingBox CRS="EPSG:3857" minx="-20037508" miny="-20037508" maxx="20037508" maxy="20037508"/>
</Layer></Capability></WMS_Capabilities>"""
seen, lock = Counter(), Lock()


def png(box, width, height):
    options = gdal.WarpOptions(
        format="MEM", dstSRS="EPSG:3857", outputBounds=box, width=width, height=height, dstAlpha=True,
        resampleAlg="bilinear")
    made = gdal.Warp("", sys.argv[1], options=options)
    name = f"/vsimem/{id(made)}.png"
    gdal.GetDriverByName("PNG").CreateCopy(name, made)
    size = gdal.VSIStatL(name).size
    file = gdal.VSIFOpenL(name, "rb")
    data = bytes(gdal.VSIFReadL(1, size, file))
    gdal.VSIFCloseL(file)
    gdal.Unlink(name)
    return data


def given(data, kind):
    return 200, {"Content-Type": kind, "Cache-Control": "no-store"}, data


def reply(path, address):
    url = urlparse(path)
    parts = url.path.strip("/").split("/")
    if parts[0] == "count":
        return given(str(sum(seen.values())).encode(), "text/plain")
    with lock:
        seen[path] += 1
        first = seen[path] == 1
    if parts[0] == "wms":
        query = {key.upper(): value[0] for key, value in parse_qs(url.query).items()}
        if query.get("REQUEST", "").lower() == "getcapabilities":
            return given(CAPABILITIES.format(url=f"{address}/wms?").encode(), "text/xml")
        box = [float(value) for value in query["BBOX"].split(",")]
        return given(png(box, int(query["WIDTH"]), int(query["HEIGHT"])), "image/png")
    z, x, y = int(parts[1]), int(parts[2]), int(parts[3].split(".")[0])
    if (parts[0] == "flaky" and first) or (parts[0] == "holes" and x % 2 == 0 and y % 2 == 0):
        return 503, {}, b""
    side = 2 * HALF / 2**z
    west, north = -HALF + x * side, HALF - y * side
    return given(png([west, north - side, west + side, north], 256, 256), "image/png")


serve(ThreadingHTTPServer, reply)
