"""Light: where the sun stands, how the relief takes it, haze, clouds and their shadows."""

from dataclasses import dataclass

import numpy as np

from seco.collect.locations import PIXEL_M
from seco.collect.stream import Array, Stream
from seco.collect.synthetic.noise import fractal_noise, smoothstep, top_share, value_noise
from seco.collect.synthetic.phenology import rounded_sine
from seco.collect.synthetic.spectra import CLOUD, HAZE

HOUR_ANGLE = -22.5  # degrees: Sentinel-2 passes at 10:30 local solar time
LOWEST_SUN = 0.17  # sine of 10°: the archive has nothing in polar night, a synthetic place has all its dates


@dataclass(frozen=True)
class Sun:
    """Unit vector towards the sun."""

    east: float
    north: float
    up: float


@dataclass(frozen=True)
class Clouds:
    """Clouds over a patch: opacity and shadow, 0 to 1, each [size, size]; share of pixels under any cloud."""

    opacity: Array
    shadow: Array
    fraction: float


def sun_at(day: float, latitude: float) -> Sun:
    """Sun at the overpass on a day of the year at a latitude in degrees.

    Source:
        Declination after Cooper, 1969, Solar Energy 12; the rest is spherical trigonometry.
    """
    declination = 23.45 * rounded_sine(360.0 * (284.0 + day) / 365.0)
    sin_d, cos_d = rounded_sine(declination), rounded_sine(90.0 - declination)
    sin_l, cos_l = rounded_sine(latitude), rounded_sine(90.0 - latitude)
    sin_h, cos_h = rounded_sine(HOUR_ANGLE), rounded_sine(90.0 - HOUR_ANGLE)
    up = max(sin_l * sin_d + cos_l * cos_d * cos_h, LOWEST_SUN)
    return Sun(-cos_d * sin_h, cos_l * sin_d - sin_l * cos_d * cos_h, up)


def shading(relief: Array, sun: Sun) -> Array:
    """Light on the slopes relative to level ground, 0.45 to 1.5, shape [size, size].

    L2A is corrected for the sun's height but only partly for slopes: 60 % of the effect is left.
    """
    to_south, to_east = np.gradient(relief, PIXEL_M)
    norm = np.sqrt(1.0 + to_south * to_south + to_east * to_east)
    light = (sun.up - to_east * sun.east + to_south * sun.north) / (norm * sun.up)
    return np.clip(1.0 + 0.6 * (light - 1.0), 0.45, 1.5)


def draw_clouds(stream: Stream, size: int, patch_size: int, sun: Sun, limit: float) -> Clouds:
    """Clouds over at most the share ``limit`` (0 to 1) of the patch; three scenes of four have none.

    Args:
        stream: Source of randomness.
        size: Height and width of the canvas, px.
        patch_size: The upper left part of it that is kept, px: the limit and the fraction are of this part.
        sun: Casts the shadows.
        limit: Greatest share of the patch under cloud.
    """
    lot, share = stream.uniform(), stream.uniform()
    height = stream.uniform(400.0, 1500.0)
    margin = max(size // 2, 8)
    clear = np.zeros((size, size))
    count = int(limit * share * patch_size * patch_size)
    if lot > 0.25 or count == 0:
        return Clouds(clear, clear, 0.0)
    sky = fractal_noise(stream, size + 2 * margin, 0.5 * size, octaves=5)
    inner = slice(margin, margin + size)
    threshold = top_share(sky[inner, inner], count / (size * size))
    opacity = smoothstep((sky - threshold) / 0.10)
    reach = height / sun.up / PIXEL_M
    down = int(np.clip(round(-reach * sun.north), -margin, margin))
    right = int(np.clip(round(reach * sun.east), -margin, margin))
    # A pixel lies in the shadow of the cloud that stands towards the sun; rows count from north to south.
    shadow = opacity[margin + down : margin + down + size, margin + right : margin + right + size]
    over = opacity[inner, inner]
    kept = np.count_nonzero(over[:patch_size, :patch_size])
    return Clouds(over, 0.75 * shadow, kept / (patch_size * patch_size))


def look_through(ground: Array, stream: Stream, clouds: Clouds) -> Array:
    """Surface reflectance [12, size, size] as seen through haze and clouds, same shape."""
    size = ground.shape[-1]
    strength = 0.004 + 0.06 * stream.uniform() * stream.uniform() * stream.uniform()
    haze = strength * (1.0 + 0.4 * value_noise(stream, size, 0.8 * size))
    # Shadows are blue: the sky lights them, and more so at short wavelengths.
    dark = np.array(HAZE)[:, None, None] * 0.012 + ground * 0.35
    shaded = ground + clouds.shadow * (dark - ground)
    hazy = shaded * (1.0 - 1.5 * haze) + np.array(HAZE)[:, None, None] * haze
    return hazy + clouds.opacity * (np.array(CLOUD)[:, None, None] - hazy)
