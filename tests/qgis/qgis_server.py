"""A real WMS and WCS, QGIS Server's, over one raster, on loopback: `qgis_server.py RASTER FOLDER`.

A process of its own; prints its port. Layer and coverage `ortho`.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer  # noqa: E402
from qgis.server import QgsBufferServerRequest, QgsBufferServerResponse, QgsServer  # noqa: E402

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


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = f"http://127.0.0.1:{self.server.server_port}{self.path}"
        request, response = QgsBufferServerRequest(url + f"&MAP={project_file}"), QgsBufferServerResponse()
        server.handleRequest(request, response)
        data = bytes(response.body())
        self.send_response(response.statusCode())
        for name, value in response.headers().items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


listening = HTTPServer(("127.0.0.1", 0), Handler)
print(listening.server_port, flush=True)
listening.serve_forever()
