"""Runs a collection once for every line on stdin, in a process of its own that whoever asked may kill.

``python killed_collection.py URL FOLDER``; prints the number of each process and then how it ended.
"""

import os
import sys
from pathlib import Path

import ee.deprecation
from conftest import quick_gate, settings_of, source_of

from seco.collect.collector import collect
from seco.collect.places import LandRectangles


class Server:
    """The address of a stub elsewhere."""

    def __init__(self, url):
        self.url = url


def run(url, folder):
    ee.deprecation._FetchDataCatalogStac = dict
    settings = settings_of(locations=80)
    collect(Path(folder), settings, source_of(Server(url)), LandRectangles(settings.patch_size), gate=quick_gate(tries=20))


if __name__ == "__main__":
    for _ in sys.stdin:
        process = os.fork()
        if process == 0:
            run(*sys.argv[1:])
            os._exit(0)
        print(process, flush=True)  # noqa: T201
        print(os.waitpid(process, 0)[1], flush=True)  # noqa: T201
