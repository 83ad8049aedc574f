"""Earth Engine on 127.0.0.1, for the real client: its limits, its refusals, and whatever can go wrong on the way.

``python tests/collect/earthengine_stub.py`` prints its address and project, serves until stdin ends, and prints the
number of requests for values and pixels.
"""

import argparse
import io
import json
import random
import socket
import sys
import threading
import time
from collections import Counter

import numpy as np
from earthengine_catalogue import BANDS, Catalogue, pixels
from earthengine_graph import ALGORITHMS, DOCUMENTS, BadRequestError, Evaluator
from quiet_server import QuietHandler, QuietServer

# As documented; written down here once more, so that a slip in the source shows.
MOST_BYTES, MOST_SIDE, MOST_BANDS, MOST_IN_FLIGHT = 50_331_648, 32_768, 1024, 40
FAULTS = ("429", "503", "drop", "truncate", "dtype")
PROJECT = "seco-offline-1234"


def discovery_document():
    """The document of 2020 that ships with the client, at the version that it asks for."""
    text = (DOCUMENTS / "cloud_api_discovery_document.json").read_text().replace("v1alpha", "v1")
    return json.dumps(json.loads(text)).encode()


class EarthEngineStub:
    """The server; use it in a with-block.

    Args:
        faults: ``(number of the request, path) -> name of a fault or None``.
        most_in_flight: More requests at once are answered 429.
        hang_s: How long the fault "hang" says nothing.
        latency_s: How long every answer takes.
        instant: Pixels are made once, and are the same for every request.
    """

    def __init__(self, *, faults=None, most_in_flight=MOST_IN_FLIGHT, hang_s=30.0, latency_s=0.0, instant=False, **world):
        self.catalogue = Catalogue(**world)
        self.faults = faults or (lambda number, path: None)
        self.most_in_flight, self.hang_s, self.latency_s, self.instant = most_in_flight, hang_s, latency_s, instant
        self.retry_after, self.revoked, self.authorizations = "0", False, set()
        self.counts, self.peak, self.in_flight = Counter(), 0, 0
        self.asked = []  # bodies of requests for values and pixels
        self.lock, self.ready_made = threading.Lock(), {}
        self.discovery = discovery_document()
        handler = type("Handler", (_Handler,), {"stub": self})
        self.server = QuietServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()

    @property
    def requests(self):
        """Number of requests for values and pixels."""
        return self.counts["value:compute"] + self.counts["image:computePixels"]

    def compute_value(self, body):
        return json.dumps({"result": Evaluator(self.catalogue).evaluate(body["expression"])}).encode()

    def compute_pixels(self, body, wrong_dtype=False):
        grid = body["grid"]
        image = Evaluator(self.catalogue).evaluate(body["expression"])
        width, height = grid["dimensions"]["width"], grid["dimensions"]["height"]
        if max(width, height) > MOST_SIDE:
            raise BadRequestError(f"Pixel grid dimensions ({width}x{height}) must be less than or equal to {MOST_SIDE}.")
        if len(image.bands) > MOST_BANDS:
            raise BadRequestError(f"Too many bands: {len(image.bands)}; at most {MOST_BANDS}.")
        dtype = "<f8" if wrong_dtype or image.dtype is None else image.dtype
        size = width * height * len(image.bands) * np.dtype(dtype).itemsize
        if size > MOST_BYTES:
            raise BadRequestError(f"Total request size ({size} bytes) must be less than or equal to {MOST_BYTES} bytes.")
        if body["fileFormat"] != "NPY":
            raise BadRequestError(f"File format {body['fileFormat']} is not known to this stub.")
        key = (width, height, len(image.bands), dtype)
        if not self.instant or key not in self.ready_made:
            self.ready_made = {key: self._encode(image, grid, dtype)}
        return self.ready_made[key]

    @staticmethod
    def _encode(image, grid, dtype):
        names = [name for _, _, name in image.bands]
        table = np.empty((grid["dimensions"]["height"], grid["dimensions"]["width"]), [(name, dtype) for name in names])
        for asset, band, name in image.bands:
            table[name] = pixels(asset.rpartition("/")[2], band, grid)
        buffer = io.BytesIO()
        np.save(buffer, table)
        return buffer.getvalue()


def random_faults(seed, share, kinds=FAULTS):
    """Faults for a share of all requests, in an order that the seed gives."""
    numbers = random.Random(seed)
    lock = threading.Lock()

    def fault(_number, _path):
        with lock:
            return numbers.choice(kinds) if numbers.random() < share else None

    return fault


class _Handler(QuietHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        self.stub.counts[path] += 1
        if path == "/$discovery/rest":
            return self.answer(200, self.stub.discovery)
        if refused := self.refusal():
            return self.answer(*refused)
        if path.endswith("/algorithms"):
            return self.answer(200, json.dumps(ALGORITHMS).encode())
        asset = path.partition("/assets/")[2]
        if asset in BANDS:
            return self.answer(200, json.dumps({"type": "IMAGE_COLLECTION", "name": path[4:], "id": asset}).encode())
        return self.answer(404, error(404, f"Asset '{asset}' not found."))

    def do_POST(self):
        stub = self.stub
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            return self.give_token()
        body = json.loads(content)
        what = self.path.partition("?")[0].rpartition("/")[2]
        with stub.lock:
            stub.counts[what] += 1
            number = stub.requests
            stub.in_flight += 1
            stub.peak = max(stub.peak, stub.in_flight)
            crowded = stub.in_flight > stub.most_in_flight
        try:
            return self.serve(what, body, "429" if crowded else stub.faults(number, what))
        finally:
            with stub.lock:
                stub.in_flight -= 1

    def serve(self, what, body, fault):  # noqa: PLR0911, PLR0912 - a table
        if fault:
            self.stub.counts[f"fault {fault}"] += 1
        if self.stub.latency_s:
            time.sleep(self.stub.latency_s)
        match fault:
            case "429":
                return self.answer(
                    429, error(429, "Too many concurrent aggregations."), {"Retry-After": self.stub.retry_after}
                )
            case "403":
                words = f"robot@{PROJECT}.iam.gserviceaccount.com may not use projects/{PROJECT} with ya29.a0AfH6SMB"
                return self.answer(403, error(403, words))
            case "503":
                return self.answer(503, error(503, "The service is currently unavailable."))
            case "drop":
                self.connection.shutdown(socket.SHUT_RDWR)
                return None
            case "hang":
                time.sleep(self.stub.hang_s)
                self.close_connection = True
                return None
        if refused := self.refusal():
            return self.answer(*refused)
        try:
            match what:
                case "value:compute":
                    content = self.stub.compute_value(body)
                case "image:computePixels":
                    content = self.stub.compute_pixels(body, wrong_dtype=fault == "dtype")
                case _:
                    return self.answer(404, error(404, f"{what} is not known to this stub."))
        except BadRequestError as refusal:
            return self.answer(400, error(400, str(refusal)))
        if not self.stub.instant:
            self.stub.asked.append((what, body))
        return self.answer(200, content, cut=fault == "truncate")

    def give_token(self):
        if self.stub.revoked:
            words = {"error": "invalid_grant", "error_description": f"Invalid JWT of robot@{PROJECT}"}
            return self.answer(400, json.dumps(words).encode())
        token = {"access_token": "ya29.token", "expires_in": 3600, "token_type": "Bearer"}
        return self.answer(200, json.dumps(token).encode())

    def refusal(self):
        """Status and text for a project that may not ask, as Google's words name it."""
        self.stub.authorizations.add(self.headers.get("Authorization"))
        project = self.headers.get("x-goog-user-project")
        if project == PROJECT:
            return None
        return 403, error(
            403, f"Caller does not have required permission to use project {project}. Grant the caller a role."
        )

    def answer(self, status, content, headers=None, *, cut=False):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.wfile.flush()
        if cut:
            self.connection.shutdown(socket.SHUT_RDWR)


def error(status, text):
    return json.dumps({"error": {"code": status, "message": text}}).encode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--instant", action="store_true")
    with EarthEngineStub(instant=parser.parse_args().instant) as running:
        print(running.url, PROJECT, flush=True)  # noqa: T201
        sys.stdin.read()
        print(running.requests)  # noqa: T201
