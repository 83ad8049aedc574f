"""How digital numbers become the encoder's input; it travels with the weights."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from seco.data.reflectance import Reflectance
from seco.data.statistics import BandStatistics
from seco.data.store import Store
from seco.errors import ConfigError, StoreError

_OF_BANDS = ("bands", "scale", "offset", "mean", "std")


@dataclass(frozen=True, slots=True)
class Normalization:
    """``x = clamp(dn * scale + offset, 0, 1)``, then ``(x - mean) / std``, band by band.

    Attributes:
        bands: Names in the order of the encoder's channels.
        scale: Per digital number.
        offset: Of x.
        mean: Of x.
        std: Of x.
        reflectance: What those digital numbers mean; None where nobody said, as of stretched pictures.
    """

    bands: tuple[str, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    reflectance: Reflectance | None = None

    @classmethod
    def from_store(cls, store: Store, bands: Sequence[str]) -> "Normalization":
        """:meth:`from_statistics` of a store.

        Raises:
            StoreError: If the store lacks a band, or a band is constant.
        """
        said = store.description.reflectance
        return replace(cls.from_statistics(store.statistics, bands, origin=str(store.path)), reflectance=said)

    def for_reflectance(self, other: Reflectance) -> "Normalization":
        """The same map for digital numbers of another meaning: equal reflectance becomes equal input.

        Raises:
            ConfigError: If nobody said what the digital numbers of this one mean.
        """
        if self.reflectance is None:
            raise ConfigError("normalization: expected one that says its units, got one of stretched pictures")
        # dn of ours = dn of theirs * ratio + shift, from equal reflectance.
        ratio = self.reflectance.quantification / other.quantification
        shift = other.offset * ratio - self.reflectance.offset
        return replace(
            self,
            scale=tuple(scale * ratio for scale in self.scale),
            offset=tuple(offset + scale * shift for scale, offset in zip(self.scale, self.offset, strict=True)),
            reflectance=other,
        )

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
        require_bands(bands, of_bands, origin=origin)
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
        lists = {name: list(getattr(self, name)) for name in _OF_BANDS}
        return lists | {"reflectance": None if self.reflectance is None else asdict(self.reflectance)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Normalization":
        """Inverse of :meth:`to_dict`."""
        said = content.get("reflectance")  # checkpoints of early versions have none
        return cls(
            **{name: tuple(content[name]) for name in _OF_BANDS}, reflectance=None if said is None else Reflectance(**said)
        )


def require_bands(bands: Sequence[str], there: Collection[str], *, origin: str) -> None:
    """Raise StoreError if a band is not among those that are there; ``origin`` names the data."""
    missing = [band for band in bands if band not in there]
    if missing:
        raise StoreError(
            f"{origin}: expected bands {', '.join(bands)}, got data without {', '.join(missing)}; it has {', '.join(there)}"
        )
