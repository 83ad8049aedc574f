"""``killed_run.py STORE OUT KILLS SEED``: trains OUT/whole without a break and OUT/killed with random kill -9.

Children are forked from a process that has imported everything and computed nothing, so that twenty starts take seconds.
Writes how often a child was killed while it trained.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from seco.pretrain.config import PretrainConfig
from seco.pretrain.loop import pretrain


class Silent:
    def started(self, **_): ...
    def advanced(self, _): ...
    def warned(self, _): ...


def start(config, out):
    child = os.fork()
    if child:
        return child
    torch.set_num_threads(1)
    resume = (out / "checkpoints" / "last.pt").is_file()
    pretrain(config, out, watcher=Silent(), resume=resume, overwrite=out.exists() and not resume)
    os._exit(0)


def modified(path):
    return path.stat().st_mtime_ns if path.is_file() else 0


def main():
    store, out, kills, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    config = PretrainConfig(
        data=str(store), backbone="test_resnet", batch_size=4, size=32, queue=10, epochs=100, save_steps=5, threads=2
    )
    assert os.waitpid(start(config, out / "whole"), 0)[1] == 0
    delays, killed = random.Random(seed), 0
    for _ in range(kills):
        last = out / "killed" / "checkpoints" / "last.pt"
        before, child = modified(last), start(config, out / "killed")
        while modified(last) == before and os.waitpid(child, os.WNOHANG)[0] == 0:
            time.sleep(0.002)
        time.sleep(delays.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        killed += os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert os.waitpid(start(config, out / "killed"), 0)[1] == 0
    sys.stdout.write(f"{killed}\n")


if __name__ == "__main__":
    main()
