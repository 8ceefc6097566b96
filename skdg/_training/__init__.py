# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The torch backend: networks, steps, one training loop, thin estimators over them."""

__all__: list[str] = []
