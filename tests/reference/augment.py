"""Views as slow, obvious float64 NumPy, written from the design page and torchvision's documentation."""

import math

import numpy as np


def augment(pixels, view, *, size, scale, offset, mean, std, rgb):
    """One view of one patch: pixels [T, C, H, W], view a record of parameters."""
    bands = pixels.shape[1]
    columns = [np.broadcast_to(np.asarray(v, dtype=np.float64), bands)[:, None, None] for v in (scale, offset, mean, std)]
    x = np.clip(pixels[view["date"]] * columns[0] + columns[1], 0, 1)
    gain, offset = (view[f"band_{n}"][:bands, None, None].astype(np.float64) for n in ("gain", "offset"))
    x = np.clip(x * (1 + gain) + offset, 0, 1)
    for step in view["order"]:
        x = colour(x, int(step), view, rgb)
    if view["grey"]:
        x = np.repeat(grey(x, rgb)[None], bands, axis=0)
    if view["blur_sigma"] > 0:
        x = blur(x, float(view["blur_sigma"]))
    if view["flip"]:
        x = x[:, :, ::-1]
    top, left, height, width = (int(view[f"crop_{n}"]) for n in ("top", "left", "height", "width"))
    x = x[:, top : top + height, left : left + width]
    x = np.einsum("yh,chw,xw->cyx", triangle(height, size), x, triangle(width, size))
    return (x - columns[2]) / columns[3]


def colour(x, step, view, rgb):
    if step == 0:
        return np.clip(x * view["brightness"], 0, 1)
    if step == 1:
        c = float(view["contrast"])
        return np.clip(c * x + (1 - c) * grey(x, rgb).mean(), 0, 1)
    if step == 2:
        s = float(view["saturation"])
        return np.clip(s * x + (1 - s) * grey(x, rgb), 0, 1)
    return x if view["hue"] == 0 else turn_hue(x, float(view["hue"]))


def grey(x, rgb):
    return 0.2989 * x[0] + 0.587 * x[1] + 0.114 * x[2] if rgb else x.mean(axis=0)


def turn_hue(x, shift):
    import colorsys

    out = np.empty_like(x)
    for y, col in np.ndindex(x.shape[1:]):
        h, s, v = colorsys.rgb_to_hsv(*x[:, y, col])
        out[:, y, col] = colorsys.hsv_to_rgb((h + shift) % 1, s, v)
    return out


def blur(x, sigma):
    taps = np.array([math.exp(-0.5 * (k / sigma) ** 2) for k in range(-11, 12)])
    taps /= taps.sum()
    padded = np.pad(x, ((0, 0), (11, 11), (11, 11)), mode="reflect")
    rows = sum(t * padded[:, k : k + x.shape[1], :] for k, t in enumerate(taps))
    return sum(t * rows[:, :, k : k + x.shape[2]] for k, t in enumerate(taps))


def triangle(size_in, size_out):
    """Antialiased bilinear weights [size_out, size_in]."""
    ratio = size_in / size_out
    reach = max(ratio, 1)
    weights = np.zeros((size_out, size_in))
    for i in range(size_out):
        centre = ratio * (i + 0.5)
        for j in range(size_in):
            weights[i, j] = max(0, 1 - abs(j + 0.5 - centre) / reach)
    return weights / weights.sum(axis=1, keepdims=True)
