"""An snnTorch training on scikit-learn's digits, made a search by five new lines.

python examples/snntorch_digits.py
"""

import snntorch as snn
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import spiketune  # new

STEPS, EPOCHS = 10, 3


class Net(nn.Module):
    def __init__(self, hidden, beta):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, hidden), snn.Leaky(beta=beta)
        self.fc2, self.lif2 = nn.Linear(hidden, 10), snn.Leaky(beta=beta)

    def forward(self, pixels):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        recorded = []
        for _ in range(STEPS):
            spikes, mem1 = self.lif1(self.fc1(pixels), mem1)
            spikes, mem2 = self.lif2(self.fc2(spikes), mem2)
            recorded.append(spikes)
        return torch.stack(recorded)  # (T, B, 10)


def load():
    pixels, labels = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(pixels / 16).float(), torch.tensor(labels))
    return random_split(data, [0.75, 0.25], torch.Generator().manual_seed(0))


def train(trial):  # changed: was train(settings)
    settings = trial.params  # new
    torch.manual_seed(0)
    train_set, validation_set = load()
    net = Net(settings["hidden"], settings["beta"])
    watch = spiketune.monitor(net, trial, share=0.5, n_train=len(train_set))  # new
    optimizer = torch.optim.Adam(net.parameters(), lr=settings["learning_rate"])
    batches = DataLoader(train_set, 64, shuffle=True)
    for _ in range(EPOCHS):
        net.train()
        for pixels, labels in watch.until_silent(batches):  # changed: was batches
            loss = nn.functional.cross_entropy(5 * net(pixels).mean(dim=0), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    correct = 0
    with torch.no_grad():
        for pixels, labels in DataLoader(validation_set, 256):
            correct += int((net(pixels).sum(dim=0).argmax(dim=1) == labels).sum())
    accuracy = correct / len(validation_set)
    return {"validation_accuracy": accuracy, **watch.metrics()}  # changed: was accuracy


if __name__ == "__main__":
    settings = {
        "hidden": spiketune.Int(16, 128, scale="log"),  # changed: was 64
        "beta": spiketune.Float(0.3, 0.99),  # changed: was 0.9
        "learning_rate": spiketune.Float(1e-3, 2e-2, scale="log"),  # changed: was 5e-3
    }
    goals = {"validation_accuracy": "maximize", "spikes_per_sample": "minimize"}  # new
    study = spiketune.tune(train, settings, objectives=goals, folder="runs/snn", trials=4)  # new
    print(study.frame()[[*settings, *goals]])  # changed: was print(train(settings))
