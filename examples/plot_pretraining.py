"""
Learn from few labels
=====================

Rows are cheap and labels are not. Here 1,297 handwritten digits may be looked at, but only a few of each class have a
label. An autoencoder learns from all of them without labels; ``encoder_module`` then hands over its encoder as a torch
module, and a classifier is fine-tuned from it. The control is the same network, its weights drawn anew.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import nn

from skae import AutoencoderTransformer

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path, default=Path("."), help="folder for the pictures")
out = parser.parse_known_args()[0].out
out.mkdir(parents=True, exist_ok=True)
torch.set_num_threads(1)  # steps this small are slower on several

# %%
# Pictures without labels
# -----------------------
#
# ``whiten=True`` gives codes unit variance, which a new layer on top of them expects.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=500, stratify=y, random_state=0)
autoencoder = AutoencoderTransformer(16, whiten=True, random_state=0).fit(X_train)

# %%
# A classifier on top of the encoder
# ----------------------------------
#
# Both networks see the same labelled pictures in the same order, with the same optimiser.

n_epochs, batch_size = 30, 20
test = torch.as_tensor(X_test, dtype=torch.float32)


def classifier(pretrained, seed):
    """The encoder and a linear layer; unless pretrained, its layers are drawn anew."""
    torch.manual_seed(seed)
    encoder = autoencoder.encoder_module()
    if not pretrained:
        for layer in encoder.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
    return nn.Sequential(encoder, nn.Linear(16, 10))


def fine_tune(network, rows, labels, seed):
    """Accuracy on the test pictures after every epoch."""
    rows, labels = torch.as_tensor(rows, dtype=torch.float32), torch.as_tensor(labels)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2, fused=True)
    generator = torch.Generator().manual_seed(seed)
    accuracies = []
    for _ in range(n_epochs):
        for batch in torch.randperm(len(rows), generator=generator).split(batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(rows[batch]), labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            accuracies.append(float((network(test).argmax(1).numpy() == y_test).mean()))
    return accuracies


# %%
# Ten labels a class, and fewer and more
# --------------------------------------

label_counts, seeds = [2, 5, 10, 20], range(5)
curves = {(name, n): [] for name in ("from the encoder", "from scratch") for n in label_counts}
logistic = {n: [] for n in label_counts}
for n in label_counts:
    for seed in seeds:
        rng = np.random.default_rng(seed)
        chosen = np.concatenate([rng.choice(np.flatnonzero(y_train == c), n, replace=False) for c in range(10)])
        rows, labels = X_train[chosen], y_train[chosen]
        for name in ("from the encoder", "from scratch"):
            network = classifier(name == "from the encoder", seed)
            curves[name, n].append(fine_tune(network, rows, labels, seed))
        logistic[n].append(LogisticRegression(max_iter=1000).fit(rows, labels).score(X_test, y_test))

print(f"{'labels a class':36s}" + "".join(f"{n:8d}" for n in label_counts))
final = {name: [np.array(curves[name, n])[:, -1] for n in label_counts] for name in dict.fromkeys(k[0] for k in curves)}
final["logistic regression on pixels"] = [np.array(logistic[n]) for n in label_counts]
for name, values in final.items():
    print(f"{name:36s}" + "".join(f"{value.mean():8.3f}" for value in values))

# %%
# What looking without labels is worth
# ------------------------------------
#
# Thin lines on the left are five draws of the labelled pictures. From the encoder the classifier is better from the
# first epochs to the last. The fewer the labels the more the pictures without one are worth; with twenty a class less
# is left of the difference.

colors = {"from the encoder": "#0072B2", "from scratch": "#D55E00", "logistic regression on pixels": "#777777"}
markers = {"from the encoder": "o", "from scratch": "s", "logistic regression on pixels": "^"}
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
for name in ("from the encoder", "from scratch"):
    runs = np.array(curves[name, 10])
    epochs = np.arange(1, n_epochs + 1)
    left.plot(epochs, runs.T, color=colors[name], linewidth=0.8, alpha=0.35)
    left.plot(epochs, runs.mean(axis=0), color=colors[name], linewidth=2.5, label=name)
left.set(xlabel="epoch of fine-tuning", ylabel="accuracy on test pictures", title="Ten labels a class")
left.legend(loc="lower right", edgecolor="none", framealpha=1)
for name, values in final.items():
    mean, spread = ([f(value) for value in values] for f in (np.mean, np.std))
    style = {"color": colors[name], "marker": markers[name], "capsize": 3, "label": name}
    right.errorbar(label_counts, mean, spread, linestyle="--" if "logistic" in name else "-", **style)
right.set(xscale="log", xlabel="labels a class", ylabel="accuracy on test pictures")
right.set_title("After fine-tuning (mean and deviation of five draws)")
right.set_xticks(label_counts, labels=label_counts)
right.minorticks_off()
right.legend(loc="lower right", edgecolor="none", framealpha=1)
for ax in (left, right):
    ax.grid(alpha=0.3)

figure.savefig(out / "plot_pretraining_1.png", dpi=120)
