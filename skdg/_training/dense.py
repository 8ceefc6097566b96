# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Stacks of linear layers, with what methods need beside the ordinary gradient.

Derivatives by domain and of second order fall out of the same two passes.
"""

import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.layers import add_product_, back_to_inputs, back_to_weights
from skdg._training.stack import LayerStack


class DenseNetwork(LayerStack):
    """A multilayer perceptron, or many: a `LayerStack` that all steps can use."""

    _by_domain: Tensor | None = None

    def domain_gradients(self, batch: DomainBatch) -> Tensor:
        """Return the gradient of each domain's risk, shape (n_domains, n_parameters).

        Parameters
        ----------
        batch : DomainBatch
            The result of the last forward pass.

        Returns
        -------
        Tensor of shape (n_domains, n_parameters)
            The gradients, valid until the next call. They may be overwritten.
        """
        rows = batch.rows
        self._batch = batch
        self._propagate(batch.gradient(rows.column), None)
        *models, n_parameters = self.parameters.shape
        shape = (*models, rows.n_domains, n_parameters)
        if self._by_domain is None or self._by_domain.shape != shape:
            self._by_domain = self.parameters.new_empty(shape)
            self._by_domain_layers = self.split(self._by_domain)
        for layer, (weights, offsets) in enumerate(self._by_domain_layers):
            weights.copy_(rows.products(self._inputs[layer], self._deltas[layer]))
            offsets.copy_(rows.sum(self._deltas[layer]))
        return self._by_domain

    def hessian_products(self, directions: Tensor) -> Tensor:
        """Return sum_e H_e u_e, with H_e the Hessian of the risk of domain e.

        Every pass of the network is differentiated along a direction of its own for
        each domain. Call after `domain_gradients`, whose passes are reused.

        Parameters
        ----------
        directions : Tensor of shape (n_domains, n_parameters)
            The vectors u_e.

        Returns
        -------
        Tensor of shape (n_parameters,)
            The sum of products, valid until the next call.
        """
        rows, buffers = self._rows, self._buffers_for(self._rows.n_rows, 2)
        moves = self.split(directions)
        # Those of the network's own inputs are 0 and never read.
        input_tangents = [self._inputs[0], *buffers.outputs[:-1]]
        last = len(self._layers) - 1
        for layer, (weights, _) in enumerate(self._layers):
            tangent = buffers.outputs[layer]
            rows.give_(tangent, moves[layer][1])
            rows.add_times_(tangent, self._inputs[layer], moves[layer][0])
            if layer:
                add_product_(tangent, input_tangents[layer], weights)
            if layer < last:
                self._activation.chain_(tangent, self._inputs[layer + 1])
        batch = self._batch
        delta_tangent = rows.weights[..., None] * batch.loss.residual_tangent(
            batch.outputs, tangent
        )
        for layer in range(last, -1, -1):
            weights, offsets = self._gradient_layers[layer]
            back_to_weights(self._inputs[layer], delta_tangent, weights)
            torch.sum(delta_tangent, -2, out=offsets)
            if layer == 0:
                break
            add_product_(weights, input_tangents[layer].mT, self._deltas[layer])
            out = buffers.deltas[layer - 1]
            back_to_inputs(delta_tangent, self._layers[layer][0], out)
            rows.add_times_(out, self._deltas[layer], moves[layer][0].mT)
            self._activation.chain_(out, self._inputs[layer])
            if self._activation.curvature is not None:
                upstream = self._deltas[layer] @ self._layers[layer][0].mT
                curvature = self._activation.curvature(self._inputs[layer])
                out += upstream * curvature * input_tangents[layer]
            delta_tangent = out
        return self._gradient
