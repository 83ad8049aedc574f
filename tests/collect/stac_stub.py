"""A STAC API and its files on 127.0.0.1: search with pages, range requests, and answers that fail."""

import json
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

from quiet_server import QuietHandler, QuietServer

CONFORMS = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/collections"]
SEARCH = ["https://api.stacspec.org/v1.0.0/item-search", "https://api.stacspec.org/v1.0.0/item-search#query"]


class StacStub:
    """Serves ``items`` of one collection, and the files under ``folder`` at /files.

    Attributes:
        faults: Statuses of the next answers, by the first word of a path: ``{"search": [503]}``;
            0 says nothing at all, 200 is none.
        retry_after: What such answers ask for.
        ranges: Range headers of requests for files.
        headers: Of all requests.
    """

    def __init__(self, folder: Path, collection="sentinel-2-c1-l2a", conforms=(*CONFORMS, *SEARCH), page=7):
        self.folder, self.collection, self.conforms, self.page = folder, collection, list(conforms), page
        self.items, self.faults, self.retry_after, self.ranges, self.headers = [], {}, None, [], []

    def __enter__(self):
        stub = self

        class Handler(_Handler):
            server_stub = stub

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._server.server_close()

    def landing(self):
        links = [
            {"rel": rel, "href": f"{self.url}{path}", **more}
            for rel, path, more in (
                ("self", "/", {}),
                ("root", "/", {}),
                ("data", "/collections", {}),
                ("search", "/search", {"method": "POST", "type": "application/geo+json"}),
            )
        ]
        head = {"type": "Catalog", "id": "stub", "description": "stub", "stac_version": "1.0.0"}
        return head | {"conformsTo": self.conforms, "links": links}

    def described(self):
        extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [["2015-06-27T00:00:00Z", None]]}}
        head = {"type": "Collection", "id": self.collection, "description": "stub", "stac_version": "1.0.0"}
        return head | {"license": "proprietary", "extent": extent, "links": []}

    def search(self, body):
        west, south, east, north = body.get("bbox", (-180, -90, 180, 90))
        first, _, last = body.get("datetime", "0001-01-01/9999-12-31").partition("/")
        limit = body.get("query", {}).get("eo:cloud_cover", {}).get("lte", 100)
        found = [
            item
            for item in self.items
            if item["bbox"][0] <= east and item["bbox"][2] >= west and item["bbox"][1] <= north and item["bbox"][3] >= south
            and first[:10] <= item["properties"]["datetime"][:10] <= last[:10]
            and item["properties"]["eo:cloud_cover"] <= limit
        ]  # fmt: skip
        start = body.get("token", 0)
        end = start + min(self.page, body["limit"])
        more = {"rel": "next", "href": f"{self.url}/search", "method": "POST", "body": body | {"token": end}}
        return {"type": "FeatureCollection", "features": found[start:end], "links": [more] if end < len(found) else []}


class _Handler(QuietHandler):
    server_stub: StacStub

    def do_GET(self):
        stub, path = self.server_stub, self.path.partition("?")[0].strip("/")
        if self._fails(path):
            return
        if path.startswith("files/"):
            self._send_file(stub.folder / path.removeprefix("files/"))
        elif path == "":
            self._send_json(stub.landing())
        elif path == "collections":
            self._send_json({"collections": [stub.described()], "links": []})
        elif path == f"collections/{stub.collection}":
            self._send_json(stub.described())
        else:
            self._send(404, b"{}")

    do_HEAD = do_GET

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._fails("search"):
            self._send_json(self.server_stub.search(body))

    def _fails(self, path):
        stub = self.server_stub
        stub.headers.append(dict(self.headers))
        waiting = stub.faults.get(path.partition("/")[0])
        if not waiting:
            return False
        status = waiting.pop(0)
        if status == 200:
            return False
        if status:
            self._send(status, b"{}", retry_after=stub.retry_after)
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        return True

    def _send_json(self, content):
        self._send(200, json.dumps(content).encode(), type="application/json")

    def _send_file(self, file):
        if not file.is_file():
            return self._send(404, b"")
        content = file.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not asked:
            return self._send(200, content)
        self.server_stub.ranges.append(asked[0])
        first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
        return self._send(206, content[first : last + 1], range=f"bytes {first}-{last}/{len(content)}")

    def _send(self, status, body, *, type="application/octet-stream", range=None, retry_after=None):
        self.send_response(status)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        for name, value in (("Content-Range", range), ("Retry-After", retry_after)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def stub_apart(folder, faults=()):
    """A stub in a process of its own, for many threads: rasterio waits for locks of GDAL without letting Python go on.

    Yields its URL; the items are those of ``items.json`` in the folder, with HREF for the files.
    """
    command = [sys.executable, __file__, str(folder), json.dumps(dict(faults))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()  # it ends


if __name__ == "__main__":
    root = Path(sys.argv[1])
    with StacStub(root) as running:
        running.items = json.loads((root / "items.json").read_text().replace("HREF", f"{running.url}/files"))
        running.faults = json.loads(sys.argv[2])
        print(running.url, flush=True)  # noqa: T201
        sys.stdin.read()
