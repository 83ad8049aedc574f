from matplotlib.image import imread

from seco.report.training_curves import draw_training_curves


def test_probes_get_a_panel_of_their_own(tmp_path):
    metrics = [{"step": step, "loss": 9 - step, "accuracy": {"Z0": 0.1 * step}} for step in range(3)]
    probe = {"step": 2, "protocol": "knn", "metrics": {"accuracy": 0.5, "macro_f1": 0.4}, "chance": {"accuracy": 0.1}}
    draw_training_curves(metrics, tmp_path / "plain.png")
    draw_training_curves(metrics, tmp_path / "probed.png", probes=[probe])
    plain, probed = (imread(tmp_path / f"{name}.png").shape for name in ("plain", "probed"))
    assert probed[1] * 2 == plain[1] * 3
