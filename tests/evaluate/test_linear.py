"""Linear probe against scikit-learn, and on features that can and cannot be learned."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from seco.errors import DataError
from seco.evaluate.linear import L2_GRID, choose_l2, fit_by_adam, fit_logistic, recipe_2021

CPU = torch.device("cpu")


def clusters(seed, size, spread=1.0, classes=5, dimensions=12):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, size)
    centres = 3 * np.random.default_rng(99).normal(size=(classes, dimensions))
    # Dimensions of very different scale and offset, and one that is constant.
    features = (random.normal(size=(size, dimensions)) * spread + centres[labels]) * np.logspace(-2, 2, dimensions) + 5
    features[:, -1] = 7
    return features.astype(np.float32), labels


def objective(features, labels, weight, bias, l2):
    """What both minimise, in float64."""
    logits = features.astype(np.float64) @ weight + bias
    if labels.ndim == 2:
        losses = np.logaddexp(0, np.where(labels, -logits, logits)).mean(axis=1)
    else:
        losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(labels)), labels]
    return losses.mean() + l2 / 2 * np.sum(weight**2)


@pytest.mark.parametrize("l2", [1e-1, 1e-3])
def test_classes_agree_with_scikit_learn(l2):
    features, labels = clusters(0, 301, spread=3)
    (found,) = fit_logistic(features, labels, num_classes=5, l2=[l2])
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    model = LogisticRegression(C=1 / (l2 * len(labels)), tol=1e-10, max_iter=10_000).fit(scaled, labels)
    ours = objective(scaled, labels, found.weight.numpy(), found.bias.numpy(), l2)
    best = objective(scaled, labels, model.coef_.T, model.intercept_, l2)
    # The optimum is flat: steps of float32 (2^-24 relative) end within 1e-6 of it.
    assert ours == pytest.approx(best, rel=1e-6)
    # l2-strongly convex: |w - w*|^2 <= 2 (f - f*) / l2, with f - f* <= 1e-6 f.
    distance = np.linalg.norm(found.weight.numpy() - model.coef_.T)
    assert distance <= np.sqrt(2 * 1e-6 * best / l2)
    scores, expected = found.scores(features), model.decision_function(scaled)
    margin = np.diff(np.sort(expected, axis=1)[:, -2:], axis=1)[:, 0]
    clear = margin > 2 * distance * np.linalg.norm(scaled, axis=1)
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(scores.argmax(axis=1)[clear], expected.argmax(axis=1)[clear])


def test_several_labels_agree_with_scikit_learn():
    features, classes = clusters(1, 240, spread=4)
    labels = np.stack([classes == 1, classes >= 2, classes % 2 == 0], axis=1)
    l2 = 1e-2
    (found,) = fit_logistic(features, labels, num_classes=3, l2=[l2])
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    # The loss is the mean over 3 labels: for one of them the penalty weighs 3 times as much.
    alone = LogisticRegression(C=1 / (3 * l2 * len(labels)), tol=1e-10, max_iter=10_000)
    models = OneVsRestClassifier(alone).fit(scaled, labels.astype(int)).estimators_
    weight, bias = np.stack([m.coef_[0] for m in models], axis=1), np.array([m.intercept_[0] for m in models])
    ours = objective(scaled, labels, found.weight.numpy(), found.bias.numpy(), l2)
    assert ours == pytest.approx(objective(scaled, labels, weight, bias, l2), rel=1e-6)


def test_blocks_change_nothing(monkeypatch):
    features, labels = clusters(2, 101, spread=2)
    (whole,) = fit_logistic(features, labels, num_classes=5, l2=[0.1])
    monkeypatch.setattr("seco.evaluate.linear._BLOCK", 16)
    (blocks,) = fit_logistic(features, labels, num_classes=5, l2=[0.1])
    # Both end within 1e-6 of the same optimum, see above: |w - w'| <= 2 sqrt(2e-6 f / l2), f < 1.
    assert float((whole.weight - blocks.weight).norm()) <= 2 * np.sqrt(2e-6 / 0.1)
    np.testing.assert_array_equal(whole.scores(features).argmax(axis=1), blocks.scores(features).argmax(axis=1))


def test_what_can_be_learned_is_and_shuffled_labels_are_not():
    features, labels = clusters(3, 400)
    unseen, truth = clusters(4, 400)
    shuffled = np.random.default_rng(5).permutation(labels)
    for given, least, most in ((labels, 0.95, 1.0), (shuffled, 0.08, 0.32)):  # chance is 0.2, six deviations are 0.12
        (model,) = fit_logistic(features, given, num_classes=5, l2=[1e-3])
        assert least <= np.mean(model.scores(unseen).argmax(axis=1) == truth) <= most


def test_the_penalty_is_the_best_on_held_out_features_and_of_equals_the_strongest():
    features, labels = clusters(6, 60, spread=4)
    held_out, truth = clusters(7, 300, spread=4)
    accuracy = {
        model.l2: np.mean(model.scores(held_out).argmax(axis=1) == truth)
        for model in fit_logistic(features, labels, num_classes=5, l2=L2_GRID)
    }
    assert len(set(accuracy.values())) > 1
    best = max(accuracy.values())
    expected = max(l2 for l2, value in accuracy.items() if value == best)
    assert choose_l2(features, labels, held_out, truth, num_classes=5) == expected


@pytest.mark.parametrize("several", [False, True])
def test_the_layer_of_2021_learns_and_follows_its_seed(several):
    features, labels = clusters(8, 203)
    features = StandardScaler().fit_transform(features).astype(np.float32)
    given = np.eye(5, dtype=bool)[labels] if several else labels
    recipe = recipe_2021(multi_label=several).changed(epochs=60, lr=0.03)
    assert (recipe.batch_size, recipe.dropout) == ((1024, 0.2) if several else (32, 0.0))
    fits = [fit_by_adam(features, given, num_classes=5, recipe=recipe, seed=seed, device=CPU) for seed in (0, 0, 1)]
    first, again, other = (model.scores(features) for model, _ in fits)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.mean(first.argmax(axis=1) == labels) > 0.95
    losses = fits[0][1]
    assert len(losses) == 60
    assert losses[-1] < losses[0]


def test_features_and_labels_of_other_types():
    features, labels = clusters(0, 60)
    features = features.astype(np.float32)
    (expected,) = fit_logistic(features, labels, num_classes=5, l2=[1e-2])
    fixed = features.copy()
    fixed.setflags(write=False)
    for x, y in ((features.astype(np.float64), labels.astype(np.int32)), (fixed, labels.tolist())):
        (found,) = fit_logistic(x, y, num_classes=5, l2=[1e-2])
        assert torch.equal(found.weight, expected.weight)
        np.testing.assert_array_equal(found.scores(x), expected.scores(features))
    np.testing.assert_array_equal(expected.scores(features[::-1]), expected.scores(features[::-1].copy()))
    assert expected.scores(features[:0]).shape == (0, 5)


def test_labels_of_other_images_are_refused():
    features, labels = clusters(0, 40)
    adam = {"recipe": recipe_2021(multi_label=False), "seed": 0, "device": CPU}
    for others in (labels[1:], np.append(labels, 0)):
        for attempt in (
            lambda others: list(fit_logistic(features, others, num_classes=5, l2=[1.0])),
            lambda others: fit_by_adam(features, others, num_classes=5, **adam),
            lambda others: choose_l2(features, labels, features, others, num_classes=5),
        ):
            with pytest.raises(DataError, match=f"labels: expected one for each of 40 rows, got {len(others)}"):
                attempt(others)
