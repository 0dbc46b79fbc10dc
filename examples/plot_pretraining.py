"""
Learn from few labels
=====================

Rows are often cheap while labels are expensive. Here there are 1,297 handwritten digits, of which only a few per class
have a label. A denoising autoencoder is trained on all of them without labels. ``encoder_module`` returns its encoder
as a torch module, and a classifier is fine-tuned from it. There are two controls: the same network with random weights,
and the encoder of an autoencoder that was not trained to denoise.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import nn

from skae import AutoencoderTransformer

torch.set_num_threads(1)  # steps this small are slower on several

# %%
# Pictures without labels
# -----------------------
#
# ``corruption="gaussian"`` with ``corruption_level=1.0`` adds noise as strong as the pictures themselves.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=500, stratify=y, random_state=1
)
size = 32
denoising = AutoencoderTransformer(
    size, corruption="gaussian", corruption_level=1.0, random_state=0
).fit(X_train)
ordinary = AutoencoderTransformer(size, random_state=0).fit(X_train)

# %%
# A classifier on top of the encoder
# ----------------------------------
#
# All networks see the same labelled pictures in the same order, with the same optimiser.

n_epochs, batch_size = 30, 20
test = torch.as_tensor(X_test, dtype=torch.float32)


def draw(module, generator):
    """Initialise linear layers as torch does."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)


def classifier(start, seed):
    """The encoder and a linear layer; "from scratch", the encoder has random weights."""
    generator = torch.Generator().manual_seed(seed)
    encoder = (ordinary if start == "ordinary encoder" else denoising).encoder_module()
    if start == "from scratch":
        draw(encoder, generator)
    output = nn.Linear(size, 10)
    draw(output, generator)
    return nn.Sequential(encoder, output)


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
# From two to twenty labels per class
# -----------------------------------

label_counts, seeds = [2, 5, 10, 20], range(5)
starts = ["denoising encoder", "ordinary encoder", "from scratch"]
curves = {(name, n): [] for name in starts for n in label_counts}
logistic = {n: [] for n in label_counts}
for n in label_counts:
    for seed in seeds:
        rng = np.random.default_rng(seed)
        chosen = np.concatenate(
            [rng.choice(np.flatnonzero(y_train == c), n, replace=False) for c in range(10)]
        )
        rows, labels = X_train[chosen], y_train[chosen]
        for name in starts:
            curves[name, n].append(fine_tune(classifier(name, seed), rows, labels, seed))
        logistic[n].append(
            LogisticRegression(max_iter=1000).fit(rows, labels).score(X_test, y_test)
        )

print(f"{'labels per class':36s}" + "".join(f"{n:8d}" for n in label_counts))
final = {name: [np.array(curves[name, n])[:, -1] for n in label_counts] for name in starts}
final["logistic regression on pixels"] = [np.array(logistic[n]) for n in label_counts]
for name, values in final.items():
    print(f"{name:36s}" + "".join(f"{value.mean():8.3f}" for value in values))

# %%
# What pretraining without labels gains
# -------------------------------------
#
# The thin lines in the second figure are five draws of the labelled pictures. After the first few epochs the classifier
# that starts from the denoising encoder is better than the one with random weights, especially with few labels.
#
# The encoder of an ordinary autoencoder is worse than random weights. An ordinary autoencoder learns to keep everything
# in a picture, and its class is only one part of that. To remove strong noise, an autoencoder has to learn what a
# picture shows. But compare with logistic regression: with two labels per class or more, none of the networks is better
# than this linear classifier.

# sphinx_gallery_start_ignore
colors = dict(zip(final, ["#0072B2", "#009E73", "#D55E00", "#777777"], strict=True))
markers = dict(zip(final, "oDs^", strict=True))
right, left = (plt.figure(figsize=(6.5, 4.6), layout="constrained").subplots() for _ in range(2))
for name in starts:
    runs = np.array(curves[name, 10])
    epochs = np.arange(1, n_epochs + 1)
    left.plot(epochs, runs.T, color=colors[name], linewidth=0.8, alpha=0.35)
    left.plot(epochs, runs.mean(axis=0), color=colors[name], linewidth=2.5, label=name)
left.set(
    xlabel="epoch of fine-tuning", ylabel="accuracy on test pictures", title="Ten labels per class"
)
left.legend(loc="lower right", edgecolor="none", framealpha=1)
for name, values in final.items():
    mean, spread = ([f(value) for value in values] for f in (np.mean, np.std))
    style = {"color": colors[name], "marker": markers[name], "capsize": 3, "label": name}
    right.errorbar(
        label_counts, mean, spread, linestyle="--" if "logistic" in name else "-", **style
    )
right.set(xscale="log", xlabel="labels per class", ylabel="accuracy on test pictures")
right.set_title("After fine-tuning (mean and deviation of five draws)")
right.set_xticks(label_counts, labels=label_counts)
right.minorticks_off()
right.legend(loc="lower right", edgecolor="none", framealpha=1)
for ax in (left, right):
    ax.grid(alpha=0.3)
# sphinx_gallery_end_ignore

plt.show()
