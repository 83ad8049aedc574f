"""Settings of a collection: what is refused before anything is asked."""

import json

import pytest
from small_collections import settings_of

from seco.collect.settings import claim_folder
from seco.errors import ConfigError, StoreError


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"locations": 0}, "locations"),
        ({"patch_size": 4}, "patch_size"),
        ({"cloud_percent": 101.0}, "cloud_percent"),
        ({"shard": 2, "num_shards": 2}, "shard"),
        ({"locations": 2, "num_shards": 3}, "num_shards"),
        ({"seed": -1}, "seed"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"dates": 0}, "dates"),
        ({"window_days": 60}, "window_days"),
        ({"until": "2018-03-01"}, "until"),
        ({"until": "2016-12-31", "product_level": "L1C"}, "until"),
    ],
)
def test_impossible_settings_are_refused(change, name):
    with pytest.raises(ConfigError, match=rf"^{name}: expected"):
        settings_of(**change)


def test_shards_share_the_locations():
    shards = [settings_of(locations=11, num_shards=3, shard=i).numbers for i in range(3)]
    assert sorted(n for numbers in shards for n in numbers) == list(range(11))


def test_settings_are_written_and_hold_no_account(tmp_path):
    claim_folder(tmp_path / "store", settings_of())
    content = json.loads((tmp_path / "store/collection.json").read_text())
    assert (content["seed"], content["until"]) == (7, "2021-12-31")
    assert not {"project", "credentials", "endpoint"} & content.keys()


def test_damaged_settings_are_said(tmp_path):
    claim_folder(tmp_path, settings_of())
    (tmp_path / "collection.json").write_text("{")
    with pytest.raises(StoreError, match="expected JSON"):
        claim_folder(tmp_path, settings_of())


def test_a_kill_at_the_very_beginning_is_gone_on_from(tmp_path):
    (tmp_path / ".collection.json.part").write_text("{")
    claim_folder(tmp_path, settings_of())
    assert [file.name for file in tmp_path.iterdir()] == ["collection.json"]
