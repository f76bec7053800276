"""How unsure predictions are: entropy of a probability, and how far several models disagree.

Source: Houlsby et al. 2011, "Bayesian Active Learning for Classification and Preference Learning": the mutual
information between a pixel's class and the model that is asked is the entropy of the mean probability less the mean of
the models' own entropies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.scoring import Forward


def class_probabilities(logits: Tensor) -> Tensor:
    """Return probabilities of all classes.

    Args:
        logits: (B, C, H, W) float. One channel is the foreground's logit, more are one per class.

    Returns:
        (B, K, H, W), background before foreground.
    """
    if logits.shape[1] == 1:
        return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1)
    return logits.softmax(1)


def entropy_share(probabilities: Tensor) -> Tensor:
    """Return the (B, H, W) entropies of (B, K, H, W) probabilities as shares of the largest one, that of equal ones."""
    found: Tensor = torch.special.entr(probabilities).sum(1) / math.log(probabilities.shape[1])
    return found


def with_disagreement(forward: Forward, members: Sequence[Forward]) -> Forward:
    """Return a forward pass that gives one channel more: how far models disagree, from 0 to 1.

    Args:
        forward: The models together; its logits are the other channels, as they are.
        members: Each model alone, at least two.
    """

    def inner(images: Tensor) -> Tensor:
        logits = forward(images)
        with torch.inference_mode():
            mean: Tensor | None = None
            own: Tensor | None = None
            for member in members:
                probabilities = class_probabilities(member(images))
                entropy = entropy_share(probabilities)
                mean = probabilities if mean is None else mean + probabilities
                own = entropy if own is None else own + entropy
            assert mean is not None and own is not None
            found = entropy_share(mean / len(members)) - own / len(members)
            return torch.cat([logits, found.clamp(0, 1)[:, None].to(logits)], dim=1)

    return inner
