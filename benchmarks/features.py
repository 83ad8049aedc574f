"""Evaluation: features of small pictures, exact neighbours, retrieval and the linear probe, beside what others use.

Every answer is compared with the peer's before either is timed.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.record import PEAK_MB, Record, make_record, report_of, time_in_turns
from seco.device import cores
from seco.evaluate.datasets import ClassFolder
from seco.evaluate.encoders import untrained
from seco.evaluate.features import extract_features
from seco.evaluate.knn import neighbour_votes
from seco.evaluate.linear import fit_logistic
from seco.evaluate.retrieval import evaluate_retrieval
from seco.pretrain.encoder import Encoder

CLASSES = 10
DIMENSIONS = 512
NEIGHBOURS, TEMPERATURE = 20, 0.07
L2 = 1e-3
# Features of both take float32 through the same layers in another order of summation; relative to the largest.
FEATURE_TOLERANCE = 1e-4

Works = dict[str, Callable[[], object]]

# Peak of the memory of a process that holds many features and asks for the neighbours of some of them, again and again.
_MEMORY = """
import json, sys, time
import numpy as np
from seco.evaluate.knn import neighbour_votes
rows, queries, runs = map(int, sys.argv[1:])
features = np.random.default_rng(0).standard_normal((rows, 512), dtype=np.float32)
labels = np.arange(rows) % 10
groups = np.arange(rows)
own = {"query_groups": groups[:queries], "reference_groups": groups}
seconds = []
for _ in range(runs):
    start = time.perf_counter()
    neighbour_votes(features[:queries], features, labels, num_classes=10, **own)
    seconds.append(time.perf_counter() - start)
print(json.dumps({"seconds": seconds, "peak_mb": PEAK_MB}))
""".replace("PEAK_MB", PEAK_MB)


def run(*, device: str, quick: bool) -> list[Record]:
    """Records of all cases."""
    runs = 2 if quick else 10
    with tempfile.TemporaryDirectory(prefix="seco-bench-") as folder:
        records = _extraction(Path(folder), count=60 if quick else 2700, device=device, runs=runs)
    features, labels, places = _features(400 if quick else 20_000)
    records += _neighbours(features, labels, device=device, runs=runs)
    some = slice(0, 200 if quick else 5000)
    records += _retrieval(features[some], places[some], runs=runs)
    records += _probe(features, labels, device=device, runs=runs)
    if device == "cpu":
        records += _memory(*((2000, 100) if quick else (590_000, 2048)), runs=runs)
    return records


def _records(case: str, works: Works, *, items: int, unit: str, device: str, runs: int, **extra: object) -> list[Record]:
    threads = torch.get_num_threads()
    seconds = time_in_turns(works, runs=runs)
    common = {"benchmark": "features", "case": case, "threads": threads, "items": items, "unit": unit}
    records = []
    for name, taken in seconds.items():
        ran_on = "cpu" if name == "scikit-learn" else device
        records.append(make_record(**common, implementation=name, device=ran_on, seconds=taken, **extra))  # type: ignore[arg-type]
    return records


def _extraction(folder: Path, *, count: int, device: str, runs: int) -> list[Record]:
    """Pictures like EuroSAT's through ResNet-18; the peer is torchvision's folder behind torch's loader."""
    random = np.random.default_rng(0)
    for i in range(count):
        file = folder / f"class{i % CLASSES}" / f"{i:05}.jpg"
        file.parent.mkdir(exist_ok=True)
        coarse = random.integers(20, 200, (8, 8, 3), dtype=np.uint8)  # as smooth as fields are, not noise
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(file, quality=90)
    images = ClassFolder(folder)
    encoder = untrained("resnet18", images).encoder
    works: Works = {
        "seco": lambda: extract_features(encoder, images, device=device),
        "torchvision-loader": lambda: _by_loader(folder, encoder, device),
    }
    ours, theirs = (np.asarray(work()) for work in works.values())
    if not np.allclose(ours, theirs, rtol=0, atol=FEATURE_TOLERANCE * np.abs(theirs).max()):
        raise RuntimeError("features: expected those of torchvision's loader, got others")
    return _records("resnet18-64px-jpeg", works, items=count, unit="images", device=device, runs=runs)


def _by_loader(folder: Path, encoder: Encoder, device: str) -> np.ndarray:
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    scaling = encoder.normalization
    scale, offset, mean, std = (
        torch.tensor(values)[:, None, None] for values in (scaling.scale, scaling.offset, scaling.mean, scaling.std)
    )
    steps = [transforms.ToTensor(), lambda x: ((x * 255 * scale + offset).clamp(0, 1) - mean) / std]
    pictures = ImageFolder(str(folder), transforms.Compose(steps))
    backbone = encoder.backbone.to(device).eval()
    with torch.inference_mode():
        loader = DataLoader(pictures, batch_size=256, num_workers=cores())
        return np.concatenate([backbone(batch.to(device)).cpu().numpy() for batch, _ in loader])


def _features(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of overlapping classes, their classes, and the places of five images each that they show."""
    random = np.random.default_rng(0)
    places = np.repeat(np.arange(count // 5), 5)
    labels = (places % CLASSES).astype(np.int64)
    centres, of_place = random.normal(size=(CLASSES, DIMENSIONS)), random.normal(size=(count // 5, DIMENSIONS))
    values = 0.1 * centres[labels] + 0.3 * of_place[places] + random.normal(size=(count, DIMENSIONS))
    return values.astype(np.float32), labels, places


def _neighbours(features: np.ndarray, labels: np.ndarray, *, device: str, runs: int) -> list[Record]:
    """Half of the features classified by the other; both search exactly in float64."""
    from sklearn.neighbors import KNeighborsClassifier

    voters, asked = features[::2], features[1::2]
    model = KNeighborsClassifier(
        NEIGHBOURS, algorithm="brute", metric="cosine", weights=lambda d: np.exp(-d / TEMPERATURE), n_jobs=-1
    ).fit(voters.astype(np.float64), labels[::2])
    query = asked.astype(np.float64)
    settings = {"num_classes": CLASSES, "k": NEIGHBOURS, "temperature": TEMPERATURE, "device": device}
    works: Works = {
        "seco": lambda: neighbour_votes(asked, voters, labels[::2], **settings).argmax(axis=1),  # type: ignore[arg-type]
        "scikit-learn": lambda: model.predict(query),
    }
    ours, theirs = (np.asarray(work()) for work in works.values())
    if not np.array_equal(ours, theirs):
        raise RuntimeError("neighbours: expected the classes of scikit-learn, got others")
    case = f"knn-{len(asked)}-of-{len(voters)}x{DIMENSIONS}"
    return _records(case, works, items=len(asked), unit="queries", device=device, runs=runs)


def _retrieval(features: np.ndarray, places: np.ndarray, *, runs: int) -> list[Record]:
    """Mean average precision of all against all; scikit-learn's takes the whole matrix of similarities."""
    from sklearn.metrics import label_ranking_average_precision_score
    from sklearn.metrics.pairwise import cosine_similarity

    def by_scikit_learn() -> float:
        similarity = cosine_similarity(features.astype(np.float64))
        np.fill_diagonal(similarity, -2)  # oneself comes last and is not relevant
        relevant = places[:, None] == places[None]
        np.fill_diagonal(relevant, False)
        return float(label_ranking_average_precision_score(relevant, similarity))

    works: Works = {
        "seco": lambda: evaluate_retrieval(features, places).metrics()["mAP"],
        "scikit-learn": by_scikit_learn,
    }
    ours, theirs = (work() for work in works.values())
    if abs(ours - theirs) > 1e-9:  # type: ignore[operator]
        raise RuntimeError(f"retrieval: expected the precision of scikit-learn, {theirs}, got {ours}")
    case = f"retrieval-{len(features)}x{DIMENSIONS}"
    return _records(case, works, items=len(features), unit="queries", device="cpu", runs=runs)


def _probe(features: np.ndarray, labels: np.ndarray, *, device: str, runs: int) -> list[Record]:
    """Logistic regression with one penalty, to the same optimum."""
    from sklearn.linear_model import LogisticRegression

    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    model = LogisticRegression(C=1 / (L2 * len(labels)), tol=1e-6, max_iter=1000)

    def ours() -> np.ndarray:
        (fit,) = fit_logistic(features, labels, num_classes=CLASSES, l2=[L2], device=device)
        return fit.scores(features).argmax(axis=1)

    works: Works = {"seco": ours, "scikit-learn": lambda: model.fit(scaled, labels).predict(scaled)}
    agreement = np.mean(np.asarray(works["seco"]()) == np.asarray(works["scikit-learn"]()))
    if agreement < 0.999:
        raise RuntimeError(f"probe: expected the classes of scikit-learn, got {agreement:.2%} of them")
    case = f"logistic-{len(features)}x{DIMENSIONS}x{CLASSES}"
    return _records(case, works, items=len(features), unit="rows", device=device, runs=runs)


def _memory(rows: int, queries: int, *, runs: int) -> list[Record]:
    """Peak memory of some queries against all rows; it does not grow with the number of queries."""
    found = report_of(_MEMORY, rows, queries, runs)
    return [
        make_record(
            benchmark="features",
            case=f"knn-memory-{queries}-of-{rows}x{DIMENSIONS}",
            implementation="seco",
            device="cpu",
            threads=torch.get_num_threads(),
            items=queries,
            unit="queries",
            seconds=found["seconds"],
            peak_mb=found["peak_mb"],
            peak_mb_of_features_alone=report_of(_MEMORY, rows, queries, 0)["peak_mb"],
        )
    ]
