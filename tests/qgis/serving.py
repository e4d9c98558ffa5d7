"""What the servers of the tests share: one request handler, and a port on loopback that is printed."""

from http.server import BaseHTTPRequestHandler


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with what `reply` of its server gives for the path: status, headers, body."""

    def do_GET(self):
        status, headers, body = self.server.reply(self.path)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


def serve(kind, reply):
    """Print the port of a server of a kind, and serve for ever.

    Args:
        kind: `HTTPServer`, or `ThreadingHTTPServer` where replies may be made at the same time.
        reply: Path and the server's own address to status, headers and body.
    """
    listening = kind(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{listening.server_port}"
    listening.reply = lambda path: reply(path, address)
    print(listening.server_port, flush=True)
    listening.serve_forever()
