"""The loader whose views are made on a GPU beside the model's work."""

import numpy as np
import pytest
import torch

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from memory_store import LOCATIONS, MemoryStore

from seco.data.loader import Loader
from seco.data.normalization import Normalization
from seco.ops.recipe import RECIPES

BANDS = ("B04", "B03", "B02")


def make_loader(device):
    store = MemoryStore()
    normalization = Normalization.from_store(store, BANDS)
    settings = {"size": 32, "batch_size": 4, "seed": 1, "threads": 2, "dtype": "bfloat16"}
    return Loader(store, recipe=RECIPES["seco"], normalization=normalization, device=device, **settings)


def batches(device, epochs=2, consume=lambda views: views.clone()):
    loader = make_loader(device)
    return [(consume(batch.views), batch.locations) for epoch in range(epochs) for batch in loader.epoch(epoch)]


def test_views_come_in_the_type_asked_for():
    made = batches("cpu")
    assert len(made) == 2 * LOCATIONS // 4
    assert made[0][0].dtype == torch.bfloat16
    assert made[0][0][0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.gpu
def test_batches_are_the_cpus():
    def consume(views):
        assert views.is_cuda
        # A model that is slower than the loader: memory of views that it still reads must not be used again.
        torch.cuda._sleep(20_000_000)
        return views.clone()

    for (on_cuda, places), (on_cpu, expected) in zip(batches("cuda", consume=consume), batches("cpu"), strict=True):
        np.testing.assert_array_equal(places, expected)
        assert torch.equal(on_cuda.cpu(), on_cpu)


@pytest.mark.gpu
def test_a_batch_is_made_while_the_model_works():
    loader = make_loader("cuda")
    loader._make(0, loader.order(0), 0).ready.synchronize()  # whatever is set up once
    torch.cuda._sleep(20_000_000_000)  # the model: ten seconds or so on the stream that everybody uses
    loader._make(0, loader.order(0), 1).ready.synchronize()
    assert not torch.cuda.current_stream().query(), "the views waited for the model"
