"""The network 784-256-10 on MNIST by snnTorch, written as its tutorial 5 does.

Trains until the validation accuracy after an epoch reaches the first argument, and prints it
with the number of epochs. `benchmarks/mnist_97.py` times it.
"""

import sys

import snntorch
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from spiketune.config.training import Dataset
from spiketune.data.registry import load  # reads the same files, and takes the same split

N_STEPS, BATCH_SIZE, BETA = 25, 128, 0.9


class Net(nn.Module):
    """The tutorial's network, with its loop over time steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(784, 256), snntorch.Leaky(beta=BETA)
        self.fc2, self.lif2 = nn.Linear(256, 10), snntorch.Leaky(beta=BETA)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output spikes, (T, B, K)."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        recorded = []
        for _ in range(N_STEPS):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            recorded.append(spk2)
        return torch.stack(recorded)


def main(target: float, seed: int) -> None:
    """Train to the target."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    splits = load(Dataset(name="mnist"))

    def loader(data, shuffle: bool) -> DataLoader:
        images = torch.as_tensor(data.inputs).float().flatten(1) / 255
        labels = torch.as_tensor(data.labels)
        return DataLoader(TensorDataset(images, labels), batch_size=BATCH_SIZE, shuffle=shuffle)

    train, validation = loader(splits.train, True), loader(splits.validation, False)
    net, loss = Net(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.9, 0.999))
    epoch, accuracy = 0, 0.0
    while accuracy < target and epoch < 10:
        epoch += 1
        for images, labels in train:
            spikes = net(images)
            loss_val = torch.zeros(1)
            for step in range(N_STEPS):
                loss_val += loss(spikes[step], labels) / N_STEPS
            optimizer.zero_grad()
            loss_val.backward()
            optimizer.step()
        with torch.no_grad():
            right = sum(
                int((net(images).sum(dim=0).argmax(dim=1) == labels).sum())
                for images, labels in validation
            )
        accuracy = right / len(splits.validation.labels)
    print(epoch, accuracy)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
