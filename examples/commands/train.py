"""Any program: options in, a summary file out. It knows nothing of spiketune."""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--hidden", type=int, default=32)
parser.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
parser.add_argument("--momentum", type=float, default=0.9)
parser.add_argument("--whiten", action="store_true")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--random_seed", type=int, default=0)
parser.add_argument("--out_dir", type=Path, required=True)
options = parser.parse_args()

images, labels = load_digits(return_X_y=True)
images = images / 16
if options.whiten:
    images = (images - images.mean(0)) / (images.std(0) + 0.1)
train_x, test_x, train_y, test_y = train_test_split(
    images, labels, test_size=0.25, random_state=0, stratify=labels
)
model = MLPClassifier(
    (options.hidden,),
    solver=options.optimizer,
    learning_rate_init=options.lr,
    momentum=options.momentum,
    random_state=options.random_seed,
)
for epoch in range(1, options.epochs + 1):
    model.partial_fit(train_x, train_y, classes=np.arange(10))
    print(f"epoch {epoch} acc {model.score(test_x, test_y):.4f}", flush=True)

n_weights = sum(weights.size for weights in model.coefs_)
(options.out_dir / "performance_overview.txt").write_text(
    f"acc {model.score(test_x, test_y)}\nloss {model.loss_}\nnum_weights {n_weights}\nfinished 1\n"
)
