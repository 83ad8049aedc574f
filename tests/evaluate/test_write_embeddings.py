"""Vectors written from Python, of an encoder that is no checkpoint; tests/cli/test_embed.py tests the rest."""

import pyarrow.parquet
import pytest
from torch import nn

from seco.data.normalization import Normalization
from seco.data.store import open_store
from seco.errors import ConfigError
from seco.evaluate.datasets import StorePatches
from seco.evaluate.embed import write_embeddings
from seco.evaluate.encoders import Subject
from seco.pretrain.encoder import Encoder


@pytest.fixture
def images(make_store):
    return StorePatches(open_store(make_store()))


@pytest.fixture
def subject(images):
    normalization = Normalization.from_store(images.store, ("B04", "B08"))
    encoder = Encoder(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), normalization, 8, "mine")
    return Subject(encoder, {"kind": "own", "name": "mine"}, "statistics of the data")


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_a_path_may_be_text(subject, images, tmp_path, form):
    found = write_embeddings(subject, images, f"{tmp_path}/own.{form}")
    assert found.vectors.shape == (len(images), 2)
    assert (tmp_path / f"own.{form}").is_file()


def test_no_images_are_no_rows(subject, images, tmp_path):
    out = tmp_path / "own.parquet"
    write_embeddings(subject, images, out, unreadable=dict.fromkeys(range(len(images)), "none can be read"))
    assert pyarrow.parquet.read_table(out).num_rows == 0


def test_a_folder_that_is_not_there_is_named(subject, images, tmp_path):
    with pytest.raises(ConfigError, match=r"own.npy: expected a file in a folder that is there, got .*missing; make it"):
        write_embeddings(subject, images, tmp_path / "missing" / "own.npy")
