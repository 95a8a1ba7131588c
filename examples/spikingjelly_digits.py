"""A SpikingJelly training on scikit-learn's digits, made a search by five new lines.

python examples/spikingjelly_digits.py
"""

import torch
from sklearn.datasets import load_digits
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import spiketune  # new

STEPS, EPOCHS = 4, 3


def build(channels, tau):
    def spiking():
        return neuron.LIFNode(tau, decay_input=False, surrogate_function=surrogate.ATan())

    net = nn.Sequential(
        layer.Conv2d(1, channels, 3, padding=1, bias=False),
        layer.BatchNorm2d(channels),
        spiking(),
        layer.MaxPool2d(2),
        layer.Flatten(),
        layer.Linear(channels * 16, 10),
        spiking(),
    )
    functional.set_step_mode(net, "m")
    return net


def load():
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels / 16).float().reshape(-1, 1, 8, 8)
    data = TensorDataset(images, torch.tensor(labels))
    return random_split(data, [0.75, 0.25], torch.Generator().manual_seed(0))


def rates(net, images):
    functional.reset_net(net)
    return net(images.unsqueeze(0).expand(STEPS, -1, -1, -1, -1)).mean(dim=0)  # (B, 10)


def train(trial):  # changed: was train(settings)
    settings = trial.params  # new
    torch.manual_seed(0)
    train_set, validation_set = load()
    net = build(settings["channels"], settings["tau"])
    watch = spiketune.monitor(net, trial, share=0.5, n_train=len(train_set))  # new
    optimizer = torch.optim.Adam(net.parameters(), lr=settings["learning_rate"])
    batches = DataLoader(train_set, 64, shuffle=True)
    for _ in range(EPOCHS):
        net.train()
        for images, labels in watch.until_silent(batches):  # changed: was batches
            loss = nn.functional.cross_entropy(5 * rates(net, images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in DataLoader(validation_set, 256):
            correct += int((rates(net, images).argmax(dim=1) == labels).sum())
    accuracy = correct / len(validation_set)
    return {"validation_accuracy": accuracy, **watch.metrics()}  # changed: was accuracy


if __name__ == "__main__":
    settings = {
        "channels": spiketune.Int(4, 16, scale="log"),  # changed: was 8
        "tau": spiketune.Float(1.1, 8.0),  # changed: was 2.0
        "learning_rate": spiketune.Float(1e-3, 2e-2, scale="log"),  # changed: was 5e-3
    }
    goals = {"validation_accuracy": "maximize", "effective_acs_per_sample": "minimize"}  # new
    study = spiketune.tune(train, settings, objectives=goals, folder="runs/jelly", trials=4)  # new
    print(study.frame()[[*settings, *goals]])  # changed: was print(train(settings))
