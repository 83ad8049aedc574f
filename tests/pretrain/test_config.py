import json
from pathlib import Path

import pytest

from seco.errors import ConfigError
from seco.pretrain.config import PretrainConfig, resolve_config


def write(folder: Path, text: str) -> Path:
    file = folder / "run.toml"
    file.write_text(text)
    return file


def test_defaults_are_those_of_2021():
    config = PretrainConfig(data="store")
    assert (config.epochs, config.batch_size, config.queue, config.dim) == (200, 256, 16384, 128)
    assert (config.lr, config.momentum, config.weight_decay) == (0.03, 0.9, 1e-4)
    assert (config.temperature, config.key_momentum, config.size) == (0.07, 0.999, 224)


def test_flags_win_over_the_file(tmp_path):
    file = write(tmp_path, 'data = "a"\nepochs = 3\nlr = 1\n')
    config = resolve_config({"epochs": 5}, file)
    assert (config.data, config.epochs, config.lr) == ("a", 5, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch_sise = 3", "got 'batch_sise'; did you mean batch_size?"),
        ('epochs = "3"', "epochs: expected int, got '3'"),
        ("epochs = true", "epochs: expected int, got True"),
        ("lr = false", "lr: expected float, got False"),
        ("epochs = 0", "epochs: expected at least 1"),
        ("batch_size = 1", "batch_size: expected at least 2"),
        ("seed = -1", "seed: expected 0 … 2.64 - 1, got -1"),
        (f"seed = {2**64}", "seed: expected 0 … 2.64 - 1, got 18446744073709551616"),
        ('method = "simclr"', "method: expected seco, moco, moco_tp, got 'simclr'"),
        ("key_momentum = 1.5", "key_momentum: expected 0 … 1"),
        ("momentum = -3.0", "momentum: expected 0 or more"),
        ("momentum = 2.0", "momentum: expected 0 or more, less than 1"),
        ("weight_decay = nan", "weight_decay: expected 0 or more, got nan"),
        ("band_drop = 2", "band_drop: expected 0 … 1, got 2"),
        ("crop_scale = 0.0", "crop_scale: expected more than 0, at most 1, got 0.0"),
        ("temperature = 0.0", "temperature: expected a positive"),
        ("epochs = ", "expected a TOML file"),
    ],
)
def test_bad_settings_are_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        resolve_config({"data": "s"}, write(tmp_path, text))


def test_learning_rate_scales_with_the_batch_when_asked():
    assert PretrainConfig(data="s", batch_size=64).base_lr(2) == 0.03
    assert PretrainConfig(data="s", batch_size=64, scale_lr=True).base_lr(2) == 0.015


def test_settings_of_the_views_reach_the_recipe():
    config = PretrainConfig(data="s", method="moco", crop_scale=0.5, band_gain=0.1, band_offset=0.2, band_drop=0.3)
    recipe = config.views
    assert recipe.names == ("q", "k0")
    assert recipe.crop_scale == (0.5, 1.0)
    assert (recipe.band_gain, recipe.band_offset, recipe.band_drop_probability) == (0.1, 0.2, 0.3)


def test_missing_data_and_file_are_named(tmp_path):
    with pytest.raises(ConfigError, match="data: expected a store"):
        resolve_config({})
    with pytest.raises(ConfigError, match=r"nope\.toml: expected a TOML file of settings, got: No such file or directory;"):
        resolve_config({"data": "s"}, tmp_path / "nope.toml")


def test_recorded_paths_hold_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded = resolve_config({"data": "seasons"}).to_dict()
    assert (recorded["data"], recorded["probe_data"]) == (str(tmp_path / "seasons"), "")


def test_a_run_s_own_settings_are_a_file_of_settings(tmp_path):
    config = PretrainConfig(data="store", epochs=7, bands="B08,B04")
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    again = resolve_config({"seed": 3}, tmp_path / "config.json")
    assert again.to_dict() == config.to_dict() | {"seed": 3}
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="expected a JSON file of settings"):
        resolve_config({}, tmp_path / "config.json")


def test_bands_may_be_a_list_and_a_byte_order_mark_first(tmp_path):
    (tmp_path / "run.toml").write_text('data = "store"\nbands = ["B08", "B04"]\n', encoding="utf-8-sig")
    assert resolve_config({}, tmp_path / "run.toml").bands == "B08,B04"
