"""A store and runs on it, as the commands leave them."""

import json
import shutil
import threading

import pytest
from commands import seco

from seco.report.page import Given, watch

SMALL = ["--backbone", "test_resnet", "--size", "32", "--batch-size", "4", "--queue", "16", "--log-every", "1"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Folder with ``store``, runs ``one`` (seco) and ``two`` (moco_tp), and results in ``one``."""
    folder = tmp_path_factory.mktemp("report")
    store, one, two = folder / "store", folder / "one", folder / "two"
    seco("collect", "--source", "synthetic", "--out", store, "--locations", 12, "--patch-size", 48, "--seed", 0)
    seco("pretrain", "--data", store, "--out", one, "--epochs", 2, *SMALL)
    seco("pretrain", "--data", store, "--out", two, "--epochs", 1, "--method", "moco_tp", *SMALL)
    for protocol in ("retrieval", "knn"):
        encoder = ["--checkpoint", one, "--with-untrained", "--bootstrap", 20]
        seco("evaluate", protocol, "--data", store, *encoder, "--json", one / f"{protocol}.json")
    seco("evaluate", "retrieval", "--data", store, "--random", "test_resnet", "--json", folder / "random.json")
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run ``one`` that a test may damage."""
    return shutil.copytree(trained / "one", tmp_path / "one")


@pytest.fixture
def records(tmp_path):
    """A file of benchmark records."""
    record = {"benchmark": "decode", "case": "store-all", "implementation": "seco", "device": "cpu", "threads": 1}
    record |= {"items_per_s": 1000.0, "unit": "patches", "median_s": 0.1, "iqr_s": 0.01, "runs": 15, "commit": "abc"}
    content = [record | {"machine": "this one"}, record | {"machine": "this one", "implementation": "rasterio"}]
    (tmp_path / "records.json").write_text(json.dumps(content))
    return tmp_path / "records.json"


@pytest.fixture
def live(run):
    """A page of the run, and its address."""
    page = watch.LivePage(Given((run,)))
    server = watch._Server(("127.0.0.1", 0), watch._handler(page, "127.0.0.1"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield page, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
    page._pool.shutdown()
