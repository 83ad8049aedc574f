"""Cosine similarity of many feature vectors with each other, in blocks of bounded memory."""

from collections.abc import Iterator

import numpy as np
import torch

from seco.errors import DataError

# Similarities are float64: their rounding error is below d * 2^-53 < 1e-12 for d <= 8192 features, whatever
# the order of summation. Two that differ by less than this are therefore equal as far as anyone can tell.
TIE = 1e-12

# Numbers in one block of similarities: 32 MB.
_BLOCK_NUMBERS = 1 << 22


def unit_vectors(features: np.ndarray, *, first_row: int = 0) -> torch.Tensor:
    """Scale every row to length 1.

    Args:
        features: Shape ``(N, d)``, any floating type.
        first_row: Number of the first row, for errors.

    Returns:
        float64 of the same shape.

    Raises:
        DataError: If there are no rows, or a row is not finite or zero and thus has no direction.
    """
    if features.ndim != 2 or 0 in features.shape:
        raise DataError(f"features: expected an array (N, d), got shape {features.shape}; check the encoder")
    vectors = torch.from_numpy(features.astype(np.float64))
    if not bool(torch.isfinite(vectors).all()):
        row = int(torch.nonzero(~torch.isfinite(vectors).all(dim=1))[0])
        raise DataError(
            f"features: expected finite numbers, got NaN or infinity in row {first_row + row}; "
            "check the weights and the normalisation of the encoder"
        )
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        row = int(torch.nonzero(lengths[:, 0] == 0)[0])
        raise DataError(
            f"features: expected vectors with a direction, got zeros in row {first_row + row}; "
            "check the weights and the normalisation of the encoder"
        )
    return vectors.div_(lengths)


def row_blocks(num_rows: int, num_columns: int) -> Iterator[slice]:
    """Slices that cover ``num_rows`` such that a block of ``num_columns`` numbers a row stays small."""
    step = max(1, _BLOCK_NUMBERS // num_columns)
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))
