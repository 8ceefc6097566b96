# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Training steps as one would write them with torch.nn, to have something beside ours.

They follow the manner of the public codes: a forward pass for each domain, a dummy
scale with ``create_graph=True`` for IRM, copies of the module and of the optimizer's
state for Fish, a backward pass per domain and one through all of them for IDGM; and a
look at the loss in every step.
"""

import copy

import torch
from torch import nn

RATE = 1e-3


class Textbook:
    """A network, its optimizer, and the rows of each domain.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows ordered by domain; domains have equally many.

    y : ndarray of shape (n_samples,)
        Classes 0 and 1.

    n_domains : int
        Number of domains.

    hidden : tuple of int
        Hidden layers.
    """

    def __init__(self, X, y, n_domains, hidden):
        layers, width = [], X.shape[1]
        for size in hidden:
            layers += [nn.Linear(width, size), nn.ReLU()]
            width = size
        self.model = nn.Sequential(*layers, nn.Linear(width, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE)
        self.X = torch.as_tensor(X)
        self.y = torch.as_tensor(y, dtype=torch.float32)[:, None]
        parts = (self.X.chunk(n_domains), self.y.chunk(n_domains))
        self.domains = list(zip(*parts, strict=True))
        self.loss = nn.BCEWithLogitsLoss()

    def descend(self, objective):
        """Take a step of Adam."""
        self.optimizer.zero_grad()
        objective.backward()
        self.optimizer.step()
        return objective.item()

    def plain(self):
        """Descend on the loss of all rows, knowing no domains."""
        return self.descend(self.loss(self.model(self.X), self.y))

    def erm(self):
        """Descend on the mean of the domains' losses."""
        losses = [self.loss(self.model(X), y) for X, y in self.domains]
        return self.descend(torch.stack(losses).mean())

    def irm(self, weight=1.0):
        """Descend on the mean loss and the penalty of IRM, from halves of the rows."""
        losses, penalties = [], []
        for X, y in self.domains:
            logits = self.model(X)
            scale = torch.ones(1, requires_grad=True)
            halves = [
                torch.autograd.grad(
                    self.loss(scale * logits[part::2], y[part::2]),
                    scale,
                    create_graph=True,
                )[0]
                for part in (0, 1)
            ]
            penalties.append((halves[0] * halves[1]).sum())
            losses.append(self.loss(logits, y))
        penalty = torch.stack(penalties).mean()
        return self.descend(torch.stack(losses).mean() + weight * penalty)

    def fish(self, rate=0.5):
        """Go through the domains with a copy, and part of the way after it."""
        inner = copy.deepcopy(self.model)
        optimizer = torch.optim.Adam(inner.parameters(), lr=RATE)
        optimizer.load_state_dict(self.optimizer.state_dict())
        for domain in torch.randperm(len(self.domains)).tolist():
            X, y = self.domains[domain]
            loss = self.loss(inner(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.optimizer.load_state_dict(optimizer.state_dict())
        outer, ends = self.model.state_dict(), inner.state_dict()
        self.model.load_state_dict(
            {name: v + rate * (ends[name] - v) for name, v in outer.items()}
        )
        return loss.item()

    def idgm(self, gamma=0.01):
        """Descend on the mean loss less the agreement of gradients."""
        losses = [self.loss(self.model(X), y) for X, y in self.domains]
        parameters = list(self.model.parameters())
        gradients = [
            torch.cat(
                [
                    part.flatten()
                    for part in torch.autograd.grad(loss, parameters, create_graph=True)
                ]
            )
            for loss in losses
        ]
        agreement = sum(
            first @ second
            for number, first in enumerate(gradients)
            for second in gradients[number + 1 :]
        )
        n_pairs = len(losses) * (len(losses) - 1) / 2
        return self.descend(torch.stack(losses).mean() - gamma * agreement / n_pairs)
