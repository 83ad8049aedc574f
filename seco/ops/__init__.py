"""Native operations: validate, allocate, call seco._core."""
