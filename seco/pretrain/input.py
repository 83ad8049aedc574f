"""What a run's settings make of a store: which bands are read, how they are scaled, what is drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seco.bands import select_bands
from seco.data.normalization import Normalization
from seco.data.store import Store
from seco.ops.recipe import ViewRecipe
from seco.pretrain import recipe2021
from seco.pretrain.config import PretrainConfig


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The input of the encoders.

    Attributes:
        recipe: What the views are, for the bands of the run.
        normalization: What a checkpoint says of its input.
        of_loader: The normalization of the numbers that the loader hands on: after ``table``, where there is one.
        table: For each band, what stands for each digital number: ``[C, 2 ** bits]`` of the store's type; None: itself.
    """

    recipe: ViewRecipe
    normalization: Normalization
    of_loader: Normalization
    table: NDArray[np.generic] | None

    @classmethod
    def of(cls, config: PretrainConfig, store: Store) -> "ModelInput":
        """That of a run on a store.

        Raises:
            SecoError: If the store lacks a band, or the recipe has no numbers for one.
        """
        bands = select_bands(store.band_names, config.bands)
        recipe = config.views.for_bands(bands)
        if config.follows_2021:
            table = recipe2021.stretched(store.description, bands)
            said = recipe2021.normalization(store.description.reflectance, bands)
            return cls(recipe, said, recipe2021.STRETCHED, table)
        normalization = Normalization.from_store(store, bands)
        return cls(recipe, normalization, normalization, None)
