"""Labelled samples on the device, handed out in batches."""

from __future__ import annotations

import torch
from torch import Tensor

from spiketune.data.splits import Labelled


class DeviceData:
    """Samples kept on the device in their stored type, scaled when a batch is taken.

    Args:
        data: The samples, (n, ...); each is flattened.
        device: Where they are kept.

    Attributes:
        labels: Class of each sample, (n,).
    """

    def __init__(self, data: Labelled, device: torch.device) -> None:
        inputs = torch.as_tensor(data.inputs)
        if inputs.is_floating_point():
            inputs = inputs.to(torch.float32)
        self._inputs = inputs.flatten(1).to(device)
        self._full_scale = data.full_scale
        self.labels = torch.as_tensor(data.labels).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_inputs(self) -> int:
        """Values of one sample."""
        return self._inputs.shape[1]

    def batch(self, which: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Values in [0, 1], (B, N), and labels, (B,)."""
        if isinstance(which, slice):
            inputs, labels = self._inputs[which], self.labels[which]
        else:  # several times faster than indexing
            inputs, labels = self._inputs.index_select(0, which), self.labels[which]
        if self._full_scale == 1.0:
            return inputs.to(torch.float32), labels
        return inputs.to(torch.float32) / self._full_scale, labels
