"""Seasonal Contrast's loss, queue and training as loops over samples, written from the paper."""

from reference.autodiff import Number, dot, exp, log, relu, sqrt


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
            exponentials = [exp(value / temperature) for value in logits]
            total += -log(exponentials[0] / dot(exponentials, [1.0] * len(exponentials))) / len(query[i])
    return total


class Encoder:
    """Convolution (3 x 3, stride 2, padding 1) → batch norm → ReLU → mean over pixels, then M heads of two layers.

    ``weights`` are named as torch names them: ``backbone.conv.weight`` … ``heads.2.2.bias``, NumPy float64.
    """

    def __init__(self, weights, sub_spaces):
        self.weights, self.sub_spaces = weights, sub_spaces
        channels = len(weights["backbone.norm.weight"])
        self.running = {"mean": [0.0] * channels, "variance": [1.0] * channels}

    def __call__(self, images, number=float):
        """``[N][C][H][W]`` → (unit vectors ``[M][N][D]``, the numbers that they were computed from by name)."""
        numbers = {name: [number(value) for value in array.ravel()] for name, array in self.weights.items()}
        features = self.pool(self.normalise(self.convolve(images, numbers), numbers))
        return [[self.project(feature, numbers, i) for feature in features] for i in range(self.sub_spaces)], numbers

    def convolve(self, images, numbers):
        kernel = numbers["backbone.conv.weight"]
        bands, height, width = len(images[0]), len(images[0][0]), len(images[0][0][0])
        outputs = len(kernel) // (9 * bands)
        result = []
        for image in images:
            for o in range(outputs):
                for top in range(-1, height - 1, 2):
                    for left in range(-1, width - 1, 2):
                        inside = [
                            (kernel[((o * bands + c) * 3 + y) * 3 + x], image[c][top + y][left + x])
                            for c in range(bands)
                            for y in range(3)
                            for x in range(3)
                            if 0 <= top + y < height and 0 <= left + x < width
                        ]
                        result.append(dot(*zip(*inside, strict=True)))
        pixels = len(result) // (len(images) * outputs)
        rows = [result[i * pixels : (i + 1) * pixels] for i in range(len(images) * outputs)]
        return [rows[n * outputs : (n + 1) * outputs] for n in range(len(images))]  # [N][channels][pixels]

    def normalise(self, maps, numbers):
        """With the batch's own mean and variance; running ones take a tenth of each batch, of the unbiased variance."""
        result = [[None] * len(maps[0]) for _ in maps]
        for c in range(len(maps[0])):
            values = [value for sample in maps for value in sample[c]]
            count = len(values)
            mean = dot(values, [1 / count] * count)
            deviations = [value - mean for value in values]
            variance = dot(deviations, deviations) * (1 / count)
            self.running["mean"][c] += 0.1 * (float(mean) - self.running["mean"][c])
            unbiased = float(variance) * count / (count - 1)
            self.running["variance"][c] += 0.1 * (unbiased - self.running["variance"][c])
            factor = numbers["backbone.norm.weight"][c] / sqrt(variance + 1e-5)
            for n, sample in enumerate(maps):
                result[n][c] = [(value - mean) * factor + numbers["backbone.norm.bias"][c] for value in sample[c]]
        return result

    def pool(self, maps):
        return [[dot([relu(x) for x in band], [1 / len(band)] * len(band)) for band in sample] for sample in maps]

    def project(self, feature, numbers, head):
        hidden = [relu(value) for value in layer(feature, numbers, f"heads.{head}.0")]
        vector = layer(hidden, numbers, f"heads.{head}.2")
        length = sqrt(dot(vector, vector))
        return [value / length for value in vector]


def layer(inputs, numbers, name):
    weight, bias = numbers[f"{name}.weight"], numbers[f"{name}.bias"]
    width = len(inputs)
    return [dot(weight[o * width : (o + 1) * width], inputs) + bias[o] for o in range(len(bias))]


def train(query, key, queues, steps, *, rates, momentum, decay, key_momentum, temperature):
    """Losses of training steps: queues [M][K][D] and both encoders are changed; a step is views [1 + M][N][C][H][W].

    Before the keys of a step the key encoder follows, θ' ← m θ' + (1 - m) θ; f sees q, then f' sees k0, k1, k2, each a
    batch of its own; SGD takes v ← μ v + (∇ + λ θ), θ ← θ - η v; the queues drop their oldest keys for those of the step.
    """
    velocity = {name: 0 * array for name, array in query.weights.items()}
    losses, place = [], 0
    for views, rate in zip(steps, rates, strict=True):
        for name, array in query.weights.items():
            key.weights[name] = key_momentum * key.weights[name] + (1 - key_momentum) * array
        vectors, numbers = query(views[0], Number)
        of_views = [key(view)[0] for view in views[1:]]  # [view][sub-space][N][D]
        keys = [[of_view[i] for of_view in of_views] for i in range(len(queues))]
        result = loss(vectors, keys, queues, temperature)
        losses.append(float(result))
        result.backward()
        for name, array in query.weights.items():
            for i, number in enumerate(numbers[name]):
                step = number.gradient + decay * array.flat[i]
                velocity[name].flat[i] = momentum * velocity[name].flat[i] + step
                array.flat[i] -= rate * velocity[name].flat[i]
        for i, queue in enumerate(queues):
            for n, vector in enumerate(keys[i][i]):
                queue[(place + n) % len(queue)] = vector
        place += len(views[0])
    return losses
