"""Encoders in the formats of other libraries, with the normalisation that belongs to them."""
