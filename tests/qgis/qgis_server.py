"""A real WMS and WCS, QGIS Server's, over one raster, on loopback: `qgis_server.py RASTER FOLDER`.

A process of its own; prints its port. Layer and coverage `ortho`.
"""

import os
import sys
from http.server import HTTPServer

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer  # noqa: E402
from qgis.server import QgsBufferServerRequest, QgsBufferServerResponse, QgsServer  # noqa: E402
from serving import serve  # noqa: E402

application = QgsApplication([], False)
application.initQgis()
project_file = os.path.join(sys.argv[2], "served.qgs")
project = QgsProject()
project.setCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
layer = QgsRasterLayer(sys.argv[1], "ortho")
project.addMapLayer(layer)
project.writeEntry("WMSCrsList", "/", ["EPSG:3857", "EPSG:4326"])
project.writeEntry("WCSLayers", "/", [layer.id()])
project.write(project_file)
server = QgsServer()


def reply(path, address):
    request, response = QgsBufferServerRequest(f"{address}{path}&MAP={project_file}"), QgsBufferServerResponse()
    server.handleRequest(request, response)
    return response.statusCode(), response.headers(), bytes(response.body())


serve(HTTPServer, reply)
