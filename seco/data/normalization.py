"""How digital numbers become the encoder's input; it travels with the weights."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seco.data.statistics import BandStatistics
from seco.data.store import Store
from seco.errors import StoreError


@dataclass(frozen=True, slots=True)
class Normalization:
    """``x = clamp(dn * scale + offset, 0, 1)``, then ``(x - mean) / std``, band by band.

    Attributes:
        bands: Names in the order of the encoder's channels.
        scale: Per digital number.
        offset: Of x.
        mean: Of x.
        std: Of x.
    """

    bands: tuple[str, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_store(cls, store: Store, bands: Sequence[str]) -> "Normalization":
        """:meth:`from_statistics` of a store.

        Raises:
            StoreError: If the store lacks a band, or a band is constant.
        """
        return cls.from_statistics(store.statistics, bands, origin=str(store.path))

    @classmethod
    def from_statistics(
        cls, of_bands: Mapping[str, BandStatistics], bands: Sequence[str], *, origin: str
    ) -> "Normalization":
        """The 2 % and 98 % quantiles become 0 and 1; then the mean and standard deviation under that map.

        Args:
            of_bands: Statistics by name of the band.
            bands: Those that the encoder takes, in its order.
            origin: What the statistics are of, for errors.

        Raises:
            StoreError: If a band is not there, or is constant.
        """
        missing = [band for band in bands if band not in of_bands]
        if missing:
            raise StoreError(
                f"{origin}: expected bands {', '.join(bands)}, got data without {', '.join(missing)}; "
                f"it has {', '.join(of_bands)}"
            )
        statistics = [of_bands[band] for band in bands]
        for band, s in zip(bands, statistics, strict=True):
            if s.q98 <= s.q02 or s.std <= 0:
                raise StoreError(f"{origin}: expected varying pixels, got a constant band {band}; leave it out")
        scale = [1 / (s.q98 - s.q02) for s in statistics]
        return cls(
            bands=tuple(bands),
            scale=tuple(scale),
            offset=tuple(-s.q02 * k for s, k in zip(statistics, scale, strict=True)),
            mean=tuple((s.mean - s.q02) * k for s, k in zip(statistics, scale, strict=True)),
            std=tuple(s.std * k for s, k in zip(statistics, scale, strict=True)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON and checkpoints."""
        return {name: list(values) for name, values in asdict(self).items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Normalization":
        """Inverse of :meth:`to_dict`."""
        return cls(**{name: tuple(values) for name, values in content.items()})
