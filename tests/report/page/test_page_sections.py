"""What each section says of runs, results and records."""

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

from seco.data.loader import Loader
from seco.data.store import open_store
from seco.errors import DataError, StoreError
from seco.evaluate.datasets import StorePatches
from seco.evaluate.features import extract_features
from seco.ops.random import VIEW_DTYPE
from seco.pretrain.encoder import load_encoder
from seco.pretrain.input import ModelInput
from seco.report.page import similar, views
from seco.report.page.benchmarks import benchmarks_section
from seco.report.page.blocks import Chart, Gallery, Markdown, Note, Picture, Table
from seco.report.page.data import data_section
from seco.report.page.numbers import number, thin
from seco.report.page.pictures import picture_of
from seco.report.page.results import results_section
from seco.report.page.run import read_runs
from seco.report.page.settings import settings_section
from seco.report.page.training import training_section


@pytest.fixture
def runs(trained):
    return read_runs([trained / "one", trained / "two"])


def of_kind(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def values(chart):
    (rows,) = chart.spec["datasets"].values()
    return rows


def test_settings_mark_what_differs(runs):
    _, settings, where = of_kind(settings_section(runs), Table)
    differing = {settings.rows[i][0]: settings.rows[i][1:] for i in settings.marked}
    assert differing == {"method": ["seco", "moco_tp"], "epochs": ["2", "1"]}
    assert not where.marked
    _, alone, _ = of_kind(settings_section(runs[:1]), Table)
    assert ["batch_size", "4", "256"] in [alone.rows[i] for i in alone.marked]


def test_an_imported_encoder_is_no_run_to_wait_for(runs, tmp_path):
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "config.json").write_text(json.dumps({"data": "", "method": "imported", "imported": "a.pth"}))
    (imported,) = read_runs([tmp_path / "others"])
    section = settings_section([runs[0], imported])
    assert of_kind(section, Note) == []
    state, settings, _ = of_kind(section, Table)
    assert state.rows[0] == ["state", runs[0].progress, "imported, not trained here"]
    assert {settings.rows[i][0] for i in settings.marked} == {"data", "method"}
    assert data_section([imported]).blocks == []
    for shown in similar.similar_sections([imported]):
        (note,) = of_kind(shown, Note)
        assert not note.warns
        assert "an imported encoder has no data set of its own; --data STORE shows it one" in note.text


def test_a_store_that_was_named_has_to_be_there(trained, tmp_path):
    with pytest.raises(StoreError, match="nowhere: expected a patch store, got no such folder"):
        read_runs([trained / "one"], data=tmp_path / "nowhere")


def test_a_profile_is_a_table_and_its_html_is_text(runs):
    profile = "# A <b>step</b>\n\n| stage | ms |\n|---|--:|\n| loss | 1.0 |\n"
    (shown,) = of_kind(training_section([replace(runs[0], profile=profile)]), Markdown)
    assert "<td>loss</td>" in shown.html
    assert "&lt;b&gt;step" in shown.html


def test_lines_are_those_of_the_metrics(runs):
    charts = {chart.title: chart for chart in of_kind(training_section(runs), Chart)}
    expected = [(line["step"], number(line["loss"]), run.name) for run in runs for line in run.metrics]
    loss = charts["Loss, summed over sub-spaces"]
    assert [(row["step"], row["value"], row["series"]) for row in values(loss)] == expected
    of_one = charts["Positive key ranked first, sub-space Z2"]
    assert {row["series"] for row in values(of_one)} == {"one"}
    assert '"values": ["one"]' in json.dumps(of_one.spec), "a legend names what is drawn"
    one = {chart.title: chart for chart in of_kind(training_section(runs[:1]), Chart)}
    accuracy = [(row["step"], row["series"], row["value"]) for row in values(one["Positive key ranked first"])]
    assert (1, "Z1", number(runs[0].metrics[0]["accuracy"]["Z1"])) in accuracy


def test_lines_of_long_runs_are_means(runs):
    many = [{"step": i + 1, "loss": float(i)} for i in range(5000)]
    section = training_section([replace(runs[0], metrics=many)])
    (chart,) = of_kind(section, Chart)
    rows = values(chart)
    assert len(rows) == 500
    assert rows[0] == {"step": 6, "value": 4.5, "series": "one"}  # of 0 … 9
    assert "mean of about 10 lines" in of_kind(section, Note)[0].text


def test_probes_are_drawn_with_chance(runs):
    probe = {"step": 3, "protocol": "knn", "metrics": {"accuracy": 0.5}, "chance": {"accuracy": 0.25}}
    drawn = of_kind(training_section([replace(runs[0], probes=[probe])]), Chart)[-1]
    assert drawn.title == "Probe of the momentum encoder: knn"
    assert values(drawn) == [{"step": 3, "value": 0.5, "series": "accuracy", "level": 0.25}]


def test_numbers_that_are_none_are_left_out(runs):
    odd = [{"step": 1, "loss": "x", "lr": math.nan}, {"step": 2, "loss": True, "lr": math.inf}, {"step": 3, "accuracy": 4}]
    assert of_kind(training_section([replace(runs[0], metrics=odd)]), Chart) == []
    assert [number(value) for value in (1, 2.123456789, math.nan, math.inf, True, "1", None)] == [1, 2.1235] + [None] * 5


@pytest.mark.parametrize(("count", "most"), [(0, 5), (3, 5), (5, 5), (23, 5)])
def test_thin_keeps_every_line_once(count, most):
    groups = thin([{"i": i} for i in range(count)], most)
    assert [line["i"] for group in groups for line in group] == list(range(count))
    assert len(groups) == min(count, most)
    assert max(map(len, groups), default=0) - min(map(len, groups), default=0) <= 1


def test_a_store_is_shown_once(runs):
    section = data_section(runs)
    assert len(of_kind(section, Picture)) == 2
    assert len(of_kind(section, Table)) == 1
    assert "of one, two" in section.blocks[0].text


def test_a_copy_of_a_store_is_named(runs, trained, tmp_path):
    shutil.copytree(trained / "store", tmp_path / "copy")
    copied = replace(runs[1], settings=runs[1].settings | {"data": str(tmp_path / "copy")})
    assert data_section([runs[0], copied]).blocks[0].text == "store = copy, of one, two"


def test_a_store_that_is_gone_is_said(runs, tmp_path):
    gone = [replace(run, settings=run.settings | {"data": str(tmp_path / "gone")}) for run in runs[:1]]
    (note,) = data_section(gone).blocks
    assert note.warns
    assert "expected a patch store, got no such folder" in note.text
    for section in (views.views_section(gone), *similar.similar_sections(gone)):
        assert "expected a patch store, got no such folder" in section.blocks[0].text


def test_views_are_those_of_training(runs):
    """The first pictures are the first views that the run's own loader makes, without the last two operations."""
    run, store = runs[0], runs[0].store
    given = ModelInput.of(run.config, store)
    loader = Loader(
        store, recipe=given.recipe, normalization=given.normalization, size=32, batch_size=4, seed=run.config.seed
    )
    batch = next(loader.epoch(0))
    mean, std = (np.array(part, np.float32)[:, None, None] for part in (given.normalization.mean, given.normalization.std))
    (gallery,) = of_kind(views.views_section([run]), Gallery)
    assert [label for label, _ in gallery.rows] == [f"location {store.locations['id'][i]}" for i in batch.locations]
    for i, (_, tiles) in enumerate(gallery.rows):
        for v, tile in enumerate(tiles):
            pixels = np.moveaxis(batch.views[v, i].numpy() * std + mean, 0, -1)
            assert same_picture(tile.source, picture_of(pixels, views.SIDE))
    assert [tile.caption.split(",")[0] for tile in gallery.rows[0][1]] == ["q", "k0", "k1", "k2"]


def same_picture(one, other):
    """Rounding of ``x * std + mean`` may turn an 8-bit number to the next; compression makes a little more of it."""
    import base64
    import io

    from PIL import Image

    of_both = [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))).astype(int) for uri in (one, other)]
    return np.abs(of_both[0] - of_both[1]).mean() < 1


def test_what_was_done_to_a_view_is_said():
    view = np.zeros(1, VIEW_DTYPE)[0]
    for name in ("brightness", "contrast", "saturation"):
        view[name] = 1
    view["crop_width"], view["crop_height"] = 9, 8
    assert views._describe(view) == "crop of 9 × 8 px"
    view["hue"], view["grey"], view["blur_sigma"], view["flip"] = 0.1, True, 1.25, True
    assert views._describe(view) == "crop of 9 × 8 px, jitter, grey, blur σ 1.2, flip"


def test_neighbours_are_the_most_similar(runs):
    """Against all features, compared one pair after the other."""
    run = runs[0]
    store = open_store(run.store.path)
    features = extract_features(load_encoder(run.path), StorePatches(store))
    names = [f"{store.locations['id'][i]}, {str(date)[:10]}" for i in range(len(store)) for date in store.dates(i)]
    neighbours, embedding = similar.similar_sections([run])
    (gallery,) = of_kind(neighbours, Gallery)
    assert len(gallery.rows) == similar.QUERIES
    for label, (asked, *found) in gallery.rows:
        query = names.index(asked.caption.removeprefix("asked: "))
        cosine = [float(np.dot(features[query], f) / np.linalg.norm(features[query]) / np.linalg.norm(f)) for f in features]
        order = [i for i in np.argsort(cosine)[::-1] if i != query]
        places = [name.split(",")[0] for name in names]
        for tile, i in zip(found, order, strict=False):
            assert float(tile.caption.split(",")[0]) == pytest.approx(cosine[i], abs=0.006)  # two digits are shown
            assert tile.good == (tile.caption.split(", ")[1] == places[query])
        same = [places[i] == places[query] for i in order]
        assert label == f"same place first at rank {same.index(True) + 1}"
    months, place, classes = of_kind(embedding, Chart)
    assert len(values(months)) == len(values(place)) == len(values(classes)) == len(store.times)
    assert set(embedding.images) == {row["image"] for row in values(months)}


def test_patches_that_cannot_be_read_are_left_out(trained, tmp_path):
    store = shutil.copytree(trained / "store", tmp_path / "store")
    file = next((store / "patches").rglob("*.tif"))
    file.write_bytes(file.read_bytes()[:500])
    (run,) = read_runs([trained / "one"], data=store)
    neighbours, embedding = similar.similar_sections([run])
    for section in (neighbours, embedding):
        assert section.blocks[0].text == "one: patches of the sample left out, for they cannot be read: 1"
    assert len(values(of_kind(embedding, Chart)[0])) == len(open_store(store).times) - 1
    assert len(of_kind(data_section([run]), Picture)) == 2


def test_results_stand_beside_each_other(runs, trained):
    section = results_section(runs, [trained / "random.json"])
    knn, retrieval = of_kind(section, Table)
    assert [row[0] for row in retrieval.rows] == [
        "one (test_resnet, 32 px)",
        "untrained (test_resnet, 32 px)",
        "random (test_resnet, 48 px, seed 0)",
        "chance",
    ]
    result = json.loads((trained / "one" / "retrieval.json").read_text())
    low, high = result["interval_95"]["bootstrap"]["recall@1"]
    assert retrieval.rows[0][1] == f"{result['metrics']['recall@1']:.3f} [{low:.3f}, {high:.3f}]"
    assert retrieval.marked == knn.marked == {0}
    assert retrieval.head == ["encoder", "recall@1", "recall@5", "mAP"]


def test_images_that_were_left_out_are_counted(runs, trained, tmp_path):
    result = json.loads((trained / "one" / "retrieval.json").read_text())
    (tmp_path / "less.json").write_text(json.dumps(result | {"skipped": {"count": 2, "images": []}}))
    _, retrieval = of_kind(results_section(runs, [tmp_path / "less.json"]), Table)
    names = [row[0] for row in retrieval.rows]
    assert names[2:4] == ["one (test_resnet, 32 px, 2 images left out)", "untrained (test_resnet, 32 px, 2 images left out)"]


def test_files_that_are_no_results_are_refused_by_name(runs, tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match=r"other\.json: expected results"):
        results_section(runs, [tmp_path / "other.json"])
    assert "no results yet" in results_section(runs[1:], []).blocks[0].text


def test_damaged_results_of_a_run_are_said(run):
    (run / "knn.json").write_text("{")
    said = results_section(read_runs([run]), []).blocks[0]
    assert said.text == "one: knn.json holds no result of `seco evaluate`, or a damaged one."
    assert said.warns


def test_records_are_shown_by_machine(records):
    section = benchmarks_section([records])
    assert section.blocks[0].text == "this one"
    (table,) = of_kind(section, Table)
    assert table.rows[0] == ["store-all, cpu, 1 thread", "seco", "1,000.0 patches/s", "10%", "15", "abc"]
    assert table.marked == {0}
    assert values(of_kind(section, Chart)[0])[1]["group"] == "rasterio"
    assert "No records were given" in benchmarks_section([]).blocks[0].text


def test_files_that_are_no_records_are_refused_by_name(tmp_path):
    (tmp_path / "no.json").write_text('[{"benchmark": 1}]')
    with pytest.raises(DataError, match=r"no\.json: expected records of `python -m benchmarks`, got none"):
        benchmarks_section([tmp_path / "no.json"])
    (tmp_path / "no.json").write_text("{")
    with pytest.raises(DataError, match=r"no\.json: expected records"):
        benchmarks_section([tmp_path])
