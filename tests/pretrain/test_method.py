import numpy as np
import pytest
import torch
from reference.moco import loss as reference_loss

from seco.errors import ConfigError
from seco.pretrain.backbone import build_backbone, try_input
from seco.pretrain.method import MomentumContrast, contrast
from seco.pretrain.queue import KeyQueue
from seco.pretrain.schedule import learning_rate

BATCH, SIZE = 4, 32


def make(sub_spaces=3, queue_length=10, **changes):
    settings = {"backbone": "resnet10t", "in_channels": 2, "dim": 8, "momentum": 0.9, "temperature": 0.07, "seed": 1}
    return MomentumContrast(sub_spaces=sub_spaces, queue_length=queue_length, **settings | changes)


def views(sub_spaces=3, seed=0):
    return torch.randn(1 + sub_spaces, BATCH, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("batch_negatives", [False, True])
@pytest.mark.parametrize("sub_spaces", [1, 3])
def test_loss_is_the_papers(sub_spaces, batch_negatives):
    model, batch = make(sub_spaces, batch_negatives=batch_negatives).train(), views(sub_spaces)
    output = model(batch)
    # Batch statistics decide in training mode, so a second pass gives the same embeddings.
    with torch.no_grad():
        query = model.query(batch[0]).numpy()
        keys = torch.stack([model.key(view) for view in batch[1:]], dim=1).numpy()
    expected = reference_loss(query, keys, model.queue.keys.numpy(), model.temperature, batch_negatives)
    # A float32 logit of size up to 1 / 0.07 is off by at most 15 * 2**-24 * 8; the loss moves no more than its logits do.
    assert abs(output.loss.item() - expected) < sub_spaces * 2 * 15 * 8 * 2**-24


def test_first_sub_space_has_no_negatives_from_the_batch():
    eye = torch.eye(4)
    query, keys, queue = eye[:2].expand(3, 2, 4), eye[:2].expand(3, 3, 2, 4), eye[2:].expand(3, 2, 4)
    assert [cosines.shape for cosines in contrast(query, keys, queue)] == [(2, 1 + 2)] + [(2, 1 + 2 + 2 * 2)] * 2


def test_own_location_is_among_the_negatives_of_later_sub_spaces():
    query = torch.eye(4)[:2].expand(2, 2, 4)
    keys = torch.stack([torch.eye(4)[2:], torch.eye(4)[:2]]).expand(2, 2, 2, 4).clone()
    keys[1, 0, 0] = query[1, 0]  # the other season of the first location looks the same
    cosines = contrast(query, keys, torch.zeros(2, 1, 4))
    assert cosines[1][0].tolist() == [1, 0, 1, 0]
    assert cosines[1][1].tolist() == [1, 0, 0, 0]


def test_a_tie_is_not_a_hit():
    model = make()
    with torch.no_grad():
        for head in (*model.query.heads, *model.key.heads):
            head[-1].weight.zero_()
            head[-1].bias.fill_(1)
    assert model.train()(views()).accuracy[1:].tolist() == [0, 0]


def test_keys_enter_the_queue_after_the_logits():
    model = make().train()
    before = model.queue.keys.clone()
    output = model(views())
    assert torch.equal(model.queue.keys, before)
    model.push_keys(output.keys)
    assert torch.equal(model.queue.keys[:, :BATCH], output.keys)
    assert torch.equal(model.queue.keys[:, BATCH:], before[:, BATCH:])


def test_only_the_query_encoder_learns():
    model = make().train()
    model(views()).loss.backward()
    assert all(p.grad is None for p in model.key.parameters())
    assert all(p.grad is not None for p in model.query.parameters())
    assert all(head[0].weight.grad.abs().sum() > 0 for head in model.query.heads)


def test_key_encoder_follows_at_its_momentum():
    model = make()
    with torch.no_grad():
        for parameter in model.query.parameters():
            parameter.add_(1)
    old = [p.clone() for p in model.key.parameters()]
    model.update_key_encoder()
    for before, key, query in zip(old, model.key.parameters(), model.query.parameters(), strict=True):
        # One multiplication and two additions in float32.
        torch.testing.assert_close(key, 0.9 * before + 0.1 * query, rtol=4 * 2**-24, atol=4 * 2**-24)


def test_queue_wraps_and_drops_nothing():
    queue = KeyQueue(1, 5, 1, generator=torch.Generator().manual_seed(0))
    assert torch.equal(queue.keys.abs(), torch.ones(1, 5, 1))  # unit vectors from the start
    expected = queue.keys.flatten().tolist()
    for start in range(0, 21, 3):
        queue.push(torch.arange(start, start + 3.0)[None, :, None])
        for value in range(start, start + 3):
            expected[value % 5] = value
        assert queue.keys.flatten().tolist() == expected
    assert queue.pointer == 21 % 5


def test_more_keys_than_the_queue_holds_keep_the_newest():
    queue = KeyQueue(1, 3, 1, generator=torch.Generator())
    queue.push(torch.arange(7.0)[None, :, None])
    assert sorted(queue.keys.flatten().tolist()) == [4, 5, 6]
    queue.push(torch.tensor([[[7.0]]]))
    assert sorted(queue.keys.flatten().tolist()) == [5, 6, 7]


def test_queue_and_pointer_are_in_the_state():
    model = make()
    model.push_keys(torch.ones(3, 4, 8))
    other = make(seed=2)
    other.load_state_dict(model.state_dict())
    assert other.queue.pointer == 4
    assert torch.equal(other.queue.keys, model.queue.keys)


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(5)
    one = make()
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1)), "making a model must not move the global generator"
    two, three = make(), make(seed=2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), three.parameters(), strict=True))


def test_steps_of_2021():
    steps = (0, 239, 240, 319, 320)
    rates = [learning_rate(s, base=0.03, schedule="step", epochs=200, steps_per_epoch=2) for s in steps]
    np.testing.assert_allclose(rates, [0.03, 0.03, 0.003, 0.003, 0.0003])
    assert learning_rate(3, base=1, schedule="step", epochs=5, steps_per_epoch=1) == 0.1


def test_cosine_goes_from_base_to_nothing():
    rates = [learning_rate(s, base=2.0, schedule="cosine", epochs=10, steps_per_epoch=1) for s in (0, 5, 10)]
    np.testing.assert_allclose(rates, [2, 1, 0], atol=1e-15)


def test_unknown_backbone_is_named():
    with pytest.raises(ConfigError, match=r"backbone: expected a timm model, got 'resnet1'; near it: .*resnet1"):
        build_backbone("resnet1", 3)


def test_trying_an_input_leaves_every_module_in_its_mode():
    backbone = build_backbone("resnet10t", 2).train()
    backbone.bn1.eval()
    before = {name: module.training for name, module in backbone.named_modules()}
    try_input(backbone, 2, SIZE)
    assert {name: module.training for name, module in backbone.named_modules()} == before


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_backbone_is_tried_in_its_own_type(dtype):
    assert try_input(build_backbone("resnet10t", 2).to(dtype), 2, SIZE).dtype == dtype
