"""The map of vectors: where its dots lie, and whose they are."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from seco.errors import ConfigError
from seco.report import embedding_map


@pytest.fixture
def axes():
    return Figure().subplots()


def test_pca_is_scikit_learns_of_unit_vectors():
    vectors = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) * np.arange(1, 7)
    points, names = embedding_map.project(vectors, "pca")
    oracle = PCA(2).fit(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    expected = oracle.transform(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-6)  # float32 lengths on the oracle's side
    assert f"({oracle.explained_variance_ratio_[0]:.0%} of the variance)" in names[0]


def test_umap_keeps_clusters_apart():
    pytest.importorskip("umap", reason="umap-learn is not installed")
    random = np.random.default_rng(0)
    centres = np.repeat(np.eye(8)[:2] * 10, 20, axis=0)
    points, _ = embedding_map.project((centres + random.normal(size=(40, 8))).astype(np.float32), "umap")
    one, two = points[:20], points[20:]
    assert np.linalg.norm(one.mean(axis=0) - two.mean(axis=0)) > 2 * max(one.std(), two.std())


def test_umap_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(embedding_map, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"expected umap-learn to be installed, got none; pip install 'seco-eo\[maps\]'"):
        embedding_map.project(np.eye(5, dtype=np.float32), "umap")


def test_two_vectors_make_no_map():
    with pytest.raises(ConfigError, match="expected at least 3 vectors, got 2"):
        embedding_map.project(np.eye(2, dtype=np.float32), "pca")


def dots(axes):
    """Colour → points drawn."""
    found = {}
    for drawn in axes.collections:
        colour = to_hex(drawn.get_facecolor()[0])
        found.setdefault(colour, []).extend(map(tuple, drawn.get_offsets().tolist()))
    return {colour: sorted(points) for colour, points in found.items()}


def test_every_class_has_its_colour_and_all_its_dots(axes):
    points = np.random.default_rng(0).normal(size=(60, 2))
    labels = np.array(["wood", "lake", ""])[np.arange(60) % 3]
    embedding_map._draw_classes(axes, points, {"class": labels})
    drawn = dots(axes)
    assert len(drawn) == 3
    assert drawn[embedding_map._OTHERS] == sorted(map(tuple, points[labels == ""].tolist()))
    assert sorted(map(len, drawn.values())) == [20, 20, 20]
    names = axes.get_legend_handles_labels()[1]
    assert names == ["no label (20)", "lake (20)", "wood (20)"]


def test_months_are_those_of_the_dates(axes):
    dates = np.array(["2019-12-31", "2020-01-01", "1969-02-03"], "datetime64[s]")
    embedding_map._draw_months(axes, np.arange(6.0).reshape(3, 2), {"date": dates})
    assert axes.get_legend_handles_labels()[1] == ["Jan (1)", "Feb (1)", "Dec (1)"]
    assert dots(axes)[embedding_map.YEAR[11]] == [(0.0, 1.0)]


def test_a_place_is_a_line_through_its_dates_and_the_rest_is_grey(axes):
    names = np.repeat([f"{i:02}" for i in range(30)], 2)
    dates = np.tile(np.array(["2020-06-01", "2020-01-01"], "datetime64[s]"), 30)
    points = np.arange(120.0).reshape(60, 2)
    embedding_map._draw_places(axes, points, {"location": names, "date": dates})
    assert len(axes.lines) == 10
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), points[[1, 0]])
    assert axes.get_legend_handles_labels()[1][0] == "20 other places (40)"
