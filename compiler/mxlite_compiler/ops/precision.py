# SPDX-License-Identifier: Apache-2.0
"""How exactly products are computed: float32 means float32.

MXNet multiplies float32 in float32 on every device. JAX's default on a GPU rounds the factors to TF32 (10 bits), on a
TPU to bfloat16, and a network that is moved from MXNet would train to other numbers. So products ask for the highest
precision, unless the user has said otherwise: ``jax.default_matmul_precision("tensorfloat32")``, or the environment
variable ``JAX_DEFAULT_MATMUL_PRECISION``, buys the speed of tensor cores for float32; so does casting to float16.
On a CPU the setting changes nothing.
"""

from __future__ import annotations

import jax


def precision(x: jax.Array) -> jax.lax.Precision | None:
    """The ``precision=`` argument for a product or convolution with the factor `x`."""
    if x.dtype.itemsize < 4 or jax.config.jax_default_matmul_precision is not None:  # type: ignore[attr-defined]
        return None
    return jax.lax.Precision.HIGHEST
