"""The process of a probe: names of checkpoints come in, results go out, one a line.

``python -m seco.pretrain.probe_worker PROTOCOL DATA THREADS``
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from traceback import format_exception_only
from typing import Any

_LEAST_PRIORITY = 19
_BATCH_SIZE = 64  # images at once: little memory beside training


def main() -> None:
    """Answer until nobody asks any more."""
    protocol, data, threads = sys.argv[1:]
    os.nice(_LEAST_PRIORITY)
    # Whatever a library prints goes to stderr, so that it does not stand between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    import torch

    from seco.errors import SecoError, reason_of
    from seco.evaluate.run import Evaluation, run_knn, run_retrieval

    torch.set_num_threads(int(threads))
    runs: dict[str, Callable[[Evaluation], dict[str, Any]]] = {"retrieval": run_retrieval, "knn": run_knn}
    settings = {"data": Path(data), "batch_size": _BATCH_SIZE, "threads": int(threads), "device": "cpu", "bootstrap": 0}
    for line in sys.stdin:
        try:
            result = runs[protocol](Evaluation(checkpoint=Path(line.rstrip("\n")), **settings))  # type: ignore[arg-type]
            answer = {"protocol": protocol} | {name: result[name] for name in ("metrics", "chance", "seconds")}
        except Exception as error:  # whatever it is, training goes on and tells it
            told = reason_of(error) if isinstance(error, SecoError) else format_exception_only(error)[-1].splitlines()[0]
            answer = {"error": told}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
