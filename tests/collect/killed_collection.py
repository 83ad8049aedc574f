"""One small collection from each source, and a process that runs it and is killed, or interrupted, wherever it is.

``python killed_collection.py SOURCE WHERE FOLDER`` collects once for every line on stdin: ``SIGNAL STEPS`` sends itself that
signal after so many steps (requests and writes), an empty line lets it end. It prints how each run ended.
"""

import itertools
import os
import signal
import sys
from pathlib import Path

import ee.deprecation
from land_rectangles import LandRectangles
from scenes import points
from small_collections import SIZE, quick_gate, settings_of, source_of

from seco.collect.collector import collect
from seco.collect.local.source import LocalSource
from seco.collect.places import GivenPlaces
from seco.collect.stac.source import StacSource

LOCATIONS = {"earthengine": 80, "stac": 24, "local": 24}
MOST = {"earthengine": 40, "stac": 4, "local": 4}  # at once: or all locations would be under way at the first interruption


class Server:
    """The address of a stub elsewhere."""

    def __init__(self, url):
        self.url = url


def run(kind, where, folder, *, tries=20, watch=lambda source: None, report=lambda progress: None):
    """Collect from ``where``, a URL or a folder; ``watch`` may change the source first."""
    count = LOCATIONS[kind]
    if kind == "earthengine":
        settings, places = settings_of(locations=count), LandRectangles(SIZE)
        source = source_of(Server(where))
    else:
        places = GivenPlaces(points(count), locations=count, patch_size=SIZE)
        if kind == "stac":
            source = StacSource(catalogue=where, patch_size=SIZE, cloud_percent=10.0)
        else:
            source = LocalSource(Path(where), patch_size=SIZE)
        settings = settings_of(source=kind, collection=source.collection, sampling=places.name, locations=count, dates=3)
    watch(source)
    return collect(Path(folder), settings, source, places, gate=quick_gate(tries=tries, most=MOST[kind]), report=report)


def watch_steps(source, when):
    """Call ``when(number)`` at each request and each write, in whichever thread makes it."""
    numbers = itertools.count(1)

    def counted(function):
        def call(*arguments):
            when(next(numbers))
            return function(*arguments)

        return call

    for name in ("list_scenes", "cloud_fractions", "read"):
        setattr(source, name, counted(getattr(source, name)))
    os.fsync = counted(os.fsync)


def run_and_die(kind, where, folder, line):
    ee.deprecation._FetchDataCatalogStac = dict
    name, steps = line.split() or ("", "0")

    def die(number):
        if number == int(steps):
            os.kill(os.getpid(), signal.Signals[name])

    run(kind, where, folder, watch=lambda source: watch_steps(source, die))


def main():
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            try:
                run_and_die(*sys.argv[1:], line)
            except KeyboardInterrupt:
                os._exit(signal.SIGINT)
            os._exit(0)
        status = os.waitpid(process, 0)[1]
        print(signal.SIGKILL if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
