"""Seasonal Contrast's loss and queue as loops over samples, written from the paper."""

import math


def dot(a, b):
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def loss(query, keys, queues, temperature, batch_negatives=False):
    """Sum over sub-spaces of mean cross-entropy: query [M][N][D], keys [M sub-spaces][M views][N][D], queues [M][K][D]."""
    total = 0.0
    for i in range(len(query)):
        for n in range(len(query[i])):
            z = query[i][n]
            logits = [dot(z, keys[i][i][n])] + [dot(z, negative) for negative in queues[i]]
            if i > 0:
                logits += [dot(z, other) for j in range(len(keys[i])) if j != i for other in keys[i][j]]
            if batch_negatives:
                logits += [dot(z, other) for m, other in enumerate(keys[i][i]) if m != n]
            exponentials = [math.exp(value / temperature) for value in logits]
            total += -math.log(exponentials[0] / sum(exponentials)) / len(query[i])
    return total
