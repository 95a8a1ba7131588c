"""A Norse training on scikit-learn's digits, made a search by five new lines.

python examples/norse_digits.py
"""

import norse.torch as norse
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import spiketune  # new

STEPS, EPOCHS = 16, 3


def build(hidden, threshold):
    p = norse.LIFParameters(v_th=torch.as_tensor(threshold))
    return norse.SequentialState(
        norse.PoissonEncoder(STEPS, f_max=300),
        norse.Lift(nn.Linear(64, hidden)),
        norse.LIF(p),
        norse.Lift(nn.Linear(hidden, 10)),
        norse.LI(),  # reads out membranes; the hidden layer is the last that spikes
    )


def load():
    pixels, labels = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(pixels / 16).float(), torch.tensor(labels))
    return random_split(data, [0.75, 0.25], torch.Generator().manual_seed(0))


def train(trial):  # changed: was train(settings)
    settings = trial.params  # new
    torch.manual_seed(0)
    train_set, validation_set = load()
    net = build(settings["hidden"], settings["threshold"])
    watch = spiketune.monitor(net, trial, share=0.5, n_train=len(train_set))  # new
    optimizer = torch.optim.Adam(net.parameters(), lr=settings["learning_rate"])
    batches = DataLoader(train_set, 64, shuffle=True)
    for _ in range(EPOCHS):
        net.train()
        for pixels, labels in watch.until_silent(batches):  # changed: was batches
            membranes, _ = net(pixels)  # (T, B, 10)
            loss = nn.functional.cross_entropy(membranes.amax(dim=0), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    correct = 0
    with torch.no_grad():
        for pixels, labels in DataLoader(validation_set, 256):
            correct += int((net(pixels)[0].amax(dim=0).argmax(dim=1) == labels).sum())
    accuracy = correct / len(validation_set)
    return {"validation_accuracy": accuracy, **watch.metrics()}  # changed: was accuracy


if __name__ == "__main__":
    settings = {
        "hidden": spiketune.Int(32, 128, scale="log"),  # changed: was 64
        "threshold": spiketune.Float(0.05, 2.0, scale="log"),  # changed: was 0.5
        "learning_rate": spiketune.Float(1e-3, 2e-2, scale="log"),  # changed: was 5e-3
    }
    goals = {"validation_accuracy": "maximize", "spikes_per_sample": "minimize"}  # new
    study = spiketune.tune(train, settings, objectives=goals, folder="runs/norse", trials=4)  # new
    print(study.frame()[[*settings, *goals]])  # changed: was print(train(settings))
