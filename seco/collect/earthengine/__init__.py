"""Sentinel-2 scenes through Google Earth Engine: the only package that imports its client, ``ee``.

``source`` joins the rest: ``credentials`` says who asks, ``transport`` carries requests, ``expressions`` holds what is
asked, and ``answers`` what a refusal means.
"""
