"""A synthetic Sentinel-2 data set: places that keep their layout and change their colour with the seasons.

What is guaranteed: all arithmetic on pixels is float64 ``+ - * /``, square roots, comparisons and integers
on a Philox stream, without BLAS, FFT or transcendental functions, so that it gives the same bits on every
IEEE machine. The few sines of the sun's position are rounded to nine decimals before use, and coordinates
come from PROJ and are rounded to whole lattice cells, or 0.001 degrees where they steer the climate: two
machines could differ only where such a number falls on the very edge of its rounding. A test holds a
checksum of the digital numbers.
"""
