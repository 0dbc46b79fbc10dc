"""
Guess the hidden letters
========================

A word with hidden letters is a row with missing entries. An :class:`~skae.AutoencoderTransformer` that is trained to
fill them can play hangman, because it has to learn how words are spelled.

A word is a row with eight places of 27 columns each, one column per letter and one for an empty place at the end. The
27 entries of a letter are hidden together. No built-in corruption does that, but ``corruption`` also accepts a
function.
"""

import re
from collections import Counter
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np
import scipy.signal
import scipy.stats
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils import all_estimators

from skae import AutoencoderTransformer

# %%
# Words from documentation
# ------------------------
#
# The words of four to eight letters come from the Python language reference and from docstrings. Every word counts
# once, however common it is. A fifth of the words are set aside: the model has not seen the words that it guesses
# below.

ALPHABET, LENGTH = "abcdefghijklmnopqrstuvwxyz ", 8
BLANK, N_SYMBOLS = len(ALPHABET) - 1, len(ALPHABET)

documented = [estimator for _, estimator in all_estimators()]
for module in (np, scipy.stats, scipy.signal, torch, torch.nn):
    documented += [
        value
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_")
    ]
texts = {
    text
    for text in (*topics.values(), *(value.__doc__ for value in documented))
    if isinstance(text, str)
}
counts = Counter(
    word for text in texts for word in set(re.findall(r"(?<![\w.`\[])[a-z]{4,8}(?![\w(`])", text))
)
words = sorted(word for word, count in counts.items() if count > 1)
train_words, test_words = train_test_split(words, test_size=0.2, random_state=0)


def places(words):
    """The symbol at every place of every word, as numbers."""
    return np.array([[ALPHABET.index(symbol) for symbol in word.ljust(LENGTH)] for word in words])


def one_hot(symbols):
    return np.eye(N_SYMBOLS, dtype=np.float32)[symbols].reshape(len(symbols), -1)


train, test = places(train_words), places(test_words)
print(
    f"{len(train)} words to train on, {len(test)} to guess; the first: {', '.join(words[:200:25])}"
)

# %%
# A corruption that hides letters
# -------------------------------
#
# The function takes rows and a generator. It sets the entries of one to three letters of each row to NaN. The
# reconstruction is a probability for every letter at every place, so the loss is ``"binary_cross_entropy"``. All other
# parameters have their defaults. A code of 64 numbers is short for 216 columns.


def hide_letters(rows, random_state, n_hidden=None):
    """Hide `n_hidden` letters of each row; by default one to three, at random."""
    rows = rows.reshape(len(rows), LENGTH, N_SYMBOLS).copy()
    is_letter = rows[:, :, BLANK] < 0.5
    order = (
        np.where(is_letter, random_state.uniform(size=is_letter.shape), 2.0)
        .argsort(axis=1)
        .argsort(axis=1)
    )
    n_hidden = random_state.randint(1, 4, size=(len(rows), 1)) if n_hidden is None else n_hidden
    rows[order < n_hidden] = np.nan
    return rows.reshape(len(rows), -1)


autoencoder = AutoencoderTransformer(
    64, loss="binary_cross_entropy", corruption=hide_letters, random_state=0
)
autoencoder.fit(one_hot(train))

# %%
# Three other methods
# -------------------
#
# The first uses how often each letter stands at each place.
#
# The second also knows the two neighbours of the hidden letter. It counts how often each letter stood between these two
# in the training words, at any place. It mixes this with counts for one neighbour alone, because the other may be
# hidden too. The weights of the mixture hardly matter.
#
# The third is the untrained autoencoder: with ``max_iter=0`` it makes the best linear guess.

linear = AutoencoderTransformer(
    64, loss="binary_cross_entropy", corruption=hide_letters, max_iter=0, random_state=0
)
linear.fit(one_hot(train))

frequency = np.stack([np.bincount(column, minlength=N_SYMBOLS)[:BLANK] for column in train.T])


def by_frequency(hidden):
    return np.tile(frequency.argmax(axis=1), (len(test), 1))


EDGE = BLANK  # what stands before the first and after the last letter


def with_edges(symbols):
    return np.pad(symbols, ((0, 0), (1, 1)), constant_values=EDGE)


triples = np.zeros((N_SYMBOLS, N_SYMBOLS, N_SYMBOLS))
padded = with_edges(train)
np.add.at(triples, (padded[:, :-2], padded[:, 1:-1], padded[:, 2:]), 1)
triples = triples[:, :BLANK]  # a blank is never hidden


def by_neighbours(hidden, pair_weight=2.0, single_weight=10.0):
    letter = triples.sum(axis=(0, 2)) / triples.sum()
    after = triples.sum(axis=2) + single_weight * letter
    before = triples.sum(axis=0).T + single_weight * letter
    after, before = (table / table.sum(axis=1, keepdims=True) for table in (after, before))
    symbols, unseen = with_edges(test), np.pad(hidden, ((0, 0), (1, 1)))
    guesses = np.zeros_like(test)
    for i, j in zip(*np.nonzero(hidden), strict=True):
        left, right = symbols[i, j], symbols[i, j + 2]
        from_left = letter if unseen[i, j] else after[left]
        from_right = letter if unseen[i, j + 2] else before[right]
        chance = from_left * from_right / letter
        if not (unseen[i, j] or unseen[i, j + 2]):
            chance = triples[left, :, right] + pair_weight * chance / chance.sum()
        guesses[i, j] = chance.argmax()
    return guesses


def by_model(model, rows):
    return (
        model.reconstruct(rows).reshape(len(rows), LENGTH, N_SYMBOLS)[:, :, :BLANK].argmax(axis=2)
    )


# %%
# Accuracy
# --------

numbers_hidden = (1, 2, 3)
accuracy, played = {}, {}
for n_hidden in numbers_hidden:
    rows = hide_letters(one_hot(test), np.random.RandomState(n_hidden), n_hidden)
    hidden = np.isnan(rows.reshape(len(rows), LENGTH, N_SYMBOLS)).any(axis=2)
    guesses = {
        "letter frequency": by_frequency(hidden),
        "both neighbours": by_neighbours(hidden),
        "linear start": by_model(linear, rows),
        "autoencoder": by_model(autoencoder, rows),
    }
    played[n_hidden] = hidden, guesses["autoencoder"]
    for name, guess in guesses.items():
        accuracy.setdefault(name, []).append(float(np.mean((guess == test)[hidden])))

print("share of hidden letters guessed    1 hidden  2 hidden  3 hidden")
for name, values in accuracy.items():
    print(f"{name:32s}" + "".join(f"{value:10.3f}" for value in values))

# %%
# The autoencoder sees the whole word, not only two neighbours, and this helps most if one letter is missing. Compared
# with its linear start, training adds little here. The second figure has words that were drawn at random: guesses are
# in colour, with the right letter below a wrong one.

# sphinx_gallery_start_ignore
colors = {
    "letter frequency": "0.6",
    "both neighbours": "#D55E00",
    "linear start": "#E69F00",
    "autoencoder": "#0072B2",
}
markers = {"letter frequency": "v", "both neighbours": "s", "linear start": "D", "autoencoder": "o"}
ax = plt.figure(figsize=(6, 4.6), layout="constrained").subplots()
for name, values in accuracy.items():
    ax.plot(numbers_hidden, values, marker=markers[name], color=colors[name], label=name)
ax.set(
    xlabel="letters hidden in a word",
    ylabel="share of hidden letters guessed",
    xticks=numbers_hidden,
    ylim=(0, 0.6),
)
ax.set_title(f"{len(test)} words never seen")
ax.grid(alpha=0.3)
ax.legend(frameon=False, ncols=2, loc="upper center")

right = plt.figure(figsize=(7, 5.2), layout="constrained")
right.suptitle("Guesses: blue if right, red if wrong (right letter below)", fontsize="large")
n_shown, chosen = 13, np.random.RandomState(1)
for ax, n_hidden in zip(right.subplots(1, len(numbers_hidden)), numbers_hidden, strict=True):
    hidden, guesses = played[n_hidden]
    for line, i in enumerate(chosen.choice(len(test), n_shown, replace=False)):
        for place in np.flatnonzero(test[i] != BLANK):
            truth, guess = ALPHABET[test[i, place]], ALPHABET[guesses[i, place]]
            color = "0.9" if not hidden[i, place] else "#0072B2" if truth == guess else "#C44E52"
            ax.add_patch(plt.Rectangle((place, line), 0.92, 0.8, color=color))
            ink = "white" if hidden[i, place] else "0.25"
            at = (place + 0.46, line + 0.42)
            ax.annotate(
                guess if hidden[i, place] else truth,
                at,
                color=ink,
                ha="center",
                va="center",
                fontsize=11,
            )
            if hidden[i, place] and truth != guess:
                below = (place + 0.8, line + 0.62)
                ax.annotate(truth, below, color=ink, ha="center", va="center", fontsize=7)
    ax.set(xlim=(0, LENGTH), ylim=(n_shown, 0), xticks=[], yticks=[], aspect="equal")
    ax.set_title(f"{n_hidden} hidden", fontsize="medium")
    ax.spines[:].set_visible(False)
# sphinx_gallery_end_ignore

plt.show()
