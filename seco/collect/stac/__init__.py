"""Sentinel-2 scenes through STAC, without an account.

``source`` joins the rest: ``catalogue`` finds items, of an API or of files, ``items`` says what they mean, and ``tokens``
gives the links of the Planetary Computer what its storage wants to see.
"""
