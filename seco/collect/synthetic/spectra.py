"""Reflectance of pure surfaces in the twelve Sentinel-2 L2A bands.

Approximate values after the shapes of spectra in the USGS Spectral Library Version 7 (Kokaly et al., 2017,
doi:10.3133/ds1035) and the ECOSTRESS spectral library (Meerdink et al., 2019, Remote Sensing of Environment
230, 111196), vegetation lowered from leaf to canopy level (shade between leaves). They are round numbers set
by hand, not convolved with the bands' responses: they make a scene, and are no reference for a measurement.
"""

import numpy as np

from seco.collect.stream import Array

# B01    B02    B03    B04    B05    B06    B07    B08    B8A    B09    B11    B12
LEAF = (0.022, 0.026, 0.055, 0.027, 0.090, 0.280, 0.370, 0.400, 0.420, 0.420, 0.200, 0.090)
HERB = (0.028, 0.034, 0.078, 0.038, 0.125, 0.350, 0.440, 0.460, 0.480, 0.470, 0.240, 0.120)
NEEDLE = (0.015, 0.019, 0.035, 0.020, 0.055, 0.150, 0.190, 0.210, 0.220, 0.220, 0.100, 0.045)
DRY = (0.070, 0.085, 0.130, 0.170, 0.200, 0.240, 0.270, 0.290, 0.310, 0.320, 0.370, 0.270)
WOOD = (0.038, 0.045, 0.060, 0.078, 0.100, 0.130, 0.150, 0.170, 0.180, 0.190, 0.220, 0.150)
SOIL_DARK = (0.035, 0.045, 0.065, 0.085, 0.100, 0.110, 0.125, 0.140, 0.150, 0.160, 0.220, 0.190)
SOIL_RED = (0.050, 0.060, 0.100, 0.190, 0.220, 0.250, 0.270, 0.280, 0.290, 0.300, 0.360, 0.300)
SOIL_SAND = (0.120, 0.150, 0.230, 0.310, 0.340, 0.370, 0.390, 0.410, 0.420, 0.430, 0.520, 0.470)
WATER_CLEAR = (0.038, 0.034, 0.024, 0.012, 0.010, 0.008, 0.007, 0.006, 0.006, 0.006, 0.004, 0.003)
WATER_TURBID = (0.050, 0.062, 0.095, 0.080, 0.074, 0.045, 0.040, 0.032, 0.027, 0.020, 0.008, 0.005)
CONCRETE = (0.170, 0.200, 0.240, 0.270, 0.280, 0.290, 0.300, 0.310, 0.310, 0.320, 0.340, 0.320)
TILE = (0.070, 0.080, 0.120, 0.220, 0.260, 0.300, 0.320, 0.330, 0.340, 0.340, 0.380, 0.330)
ASPHALT = (0.070, 0.075, 0.085, 0.095, 0.100, 0.105, 0.110, 0.115, 0.120, 0.120, 0.140, 0.130)
SNOW = (0.820, 0.840, 0.840, 0.830, 0.820, 0.810, 0.800, 0.780, 0.760, 0.700, 0.100, 0.070)
CLOUD = (0.720, 0.720, 0.710, 0.720, 0.720, 0.730, 0.730, 0.730, 0.730, 0.550, 0.520, 0.400)

# Rayleigh and aerosol light that stays after correction, relative to B02: falls with the wavelength.
HAZE = (1.200, 1.000, 0.760, 0.560, 0.500, 0.450, 0.410, 0.360, 0.340, 0.290, 0.110, 0.060)


def mixture(spectra: tuple[tuple[float, ...], ...], weights: Array) -> Array:
    """Weighted mean of spectra, shape [12]; weights: one a spectrum, positive."""
    total = np.zeros(len(spectra[0]))
    for spectrum, weight in zip(spectra, weights, strict=True):
        total = total + weight * np.array(spectrum)
    return total / np.cumsum(weights)[-1]
