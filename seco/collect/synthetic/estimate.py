"""What a synthetic collection will take, from a few of its locations."""

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from seco.collect.synthetic.files import write_series
from seco.collect.synthetic.series import Request, draw_series

SAMPLE = 8  # locations


@dataclass(frozen=True)
class Estimate:
    """Of a whole request.

    Attributes:
        bytes_drawn: Of pixels, uncompressed.
        bytes_on_disk: About.
        draw_s: Seconds of one core that draws.
        write_s: Seconds of the one that writes.
    """

    bytes_drawn: int
    bytes_on_disk: int
    draw_s: float
    write_s: float

    def seconds(self, workers: int) -> float:
        """With so many processes on as many cores: all draw, one of them writes, too."""
        return max((self.draw_s + self.write_s) / workers, self.write_s)


def estimate(request: Request) -> Estimate:
    """Draw and write a few locations, spread evenly over the request, to a folder that goes away."""
    numbers = request.numbers[:: math.ceil(len(request.numbers) / SAMPLE)]
    share = len(request.numbers) / len(numbers)
    draw_series(request, numbers[0])  # what is loaded and made once
    start = time.perf_counter()
    drawn = [draw_series(request, number) for number in numbers]
    middle = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="seco-estimate-") as folder:
        pixels = sum(write_series(Path(folder), series).num_bytes for series in drawn)
        end = time.perf_counter()
        files = sum(file.stat().st_size for file in Path(folder).rglob("*.tif"))
    return Estimate(round(pixels * share), round(files * share), (middle - start) * share, (end - middle) * share)
