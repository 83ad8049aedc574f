"""A STAC API and its rasters on 127.0.0.1: landing page, collections, item search by box and time, range requests."""

import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from shapely.geometry import box, shape


class StacServer:
    """Serves the items of a list and the files of a folder; ``fail`` is a status to answer searches with, or None."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.items, self.counts, self.fail = folder, [], Counter(), None
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                server.answer(self, None)

            def do_HEAD(self):
                server.answer(self, None)

            def do_POST(self):
                server.answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()

    def answer(self, request, body):
        path = request.path.split("?")[0]
        if path.startswith("/files/"):
            self._send_file(request, self.folder / path.removeprefix("/files/"))
        elif path == "/":
            self._send(request, self._landing())
        elif path == "/collections":
            self._send(request, {"collections": [self._collection()], "links": []})
        elif path == "/search" and self.fail:
            self.counts["failed"] += 1
            self._send(request, {"code": "no", "description": "no"}, status=self.fail)
        elif path == "/search":
            self.counts["search"] += 1
            self._send(request, {"type": "FeatureCollection", "features": list(self._found(body)), "links": []})
        else:
            self._send(request, {"description": "not found"}, status=404)

    def _found(self, query):
        first, last = query["datetime"].split("/")
        for item in self.items:
            inside = shape(item["geometry"]).intersects(box(*query["bbox"]))
            if item["collection"] in query["collections"] and inside and first <= item["properties"]["datetime"] <= last:
                yield item

    def _landing(self):
        classes = ["core", "collections", "item-search"]
        return {
            "type": "Catalog", "id": "test", "stac_version": "1.0.0", "description": "test", "title": "test",
            "conformsTo": [f"https://api.stacspec.org/v1.0.0/{name}" for name in classes],
            "links": [
                {"rel": "self", "href": f"{self.url}/"},
                {"rel": "root", "href": f"{self.url}/"},
                {"rel": "data", "href": f"{self.url}/collections", "type": "application/json"},
                {"rel": "search", "href": f"{self.url}/search", "type": "application/geo+json", "method": "POST"},
            ],
        }  # fmt: skip

    @staticmethod
    def _collection():
        extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [["2015-01-01T00:00:00Z", None]]}}
        return {
            "type": "Collection", "id": "sentinel-2-test", "stac_version": "1.0.0", "description": "test",
            "license": "proprietary", "extent": extent, "links": [],
        }  # fmt: skip

    @staticmethod
    def _send(request, content, status=200):
        data = json.dumps(content).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)

    def _send_file(self, request, file):
        if not file.is_file():
            self._send(request, {}, status=404)
            return
        content, status = file.read_bytes(), 200
        whole = len(content)
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", "")):
            first, last = int(match[1]), min(int(match[2] or whole - 1), whole - 1)
            content, status = content[first : last + 1], 206
            self.counts["range"] += 1
        request.send_response(status)
        if status == 206:
            request.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)
