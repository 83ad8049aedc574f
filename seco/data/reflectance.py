"""What digital numbers mean."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reflectance:
    """``reflectance = (dn + offset) / quantification``.

    Attributes:
        quantification: Digital numbers per unit reflectance.
        offset: Digital numbers.
    """

    quantification: float
    offset: float
