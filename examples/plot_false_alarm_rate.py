"""
False alarms: promised and observed
===================================

How many alarms will be false? :meth:`~skae.AutoencoderOutlierDetector.p_values` gives the answer: if a *new* row is
like the training rows, the probability that its p-value is at most α is about α. So ``p_values(X) <= 0.01`` should flag
about one of a hundred new normal rows, for any number of training rows.

This example generates rows from a known distribution, fits many detectors and counts. All scored rows are new. Of its
own training rows a detector always flags a share α, however many outliers are among them.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import betabinom

from skae import AutoencoderOutlierDetector

# %%
# Normal rows and anomalies
# -------------------------
#
# A machine with six sensors runs in one of two modes. Within each mode, two hidden quantities determine all sensors,
# along a curved surface. In an anomalous row two of the six readings come from other rows: every reading by itself is
# ordinary, but they do not belong together.


def normal_rows(n, rng):
    mode = rng.uniform(size=n) < 0.3
    load, speed = rng.uniform(-1.5, 1.5, n), rng.normal(size=n)
    sensors = [
        load,
        speed,
        load**2,
        np.sin(2 * load) + mode,
        load * speed,
        np.exp(speed / 2) - 2 * mode,
    ]
    return np.column_stack(sensors) + 0.1 * rng.normal(size=(n, 6))


def anomalous_rows(n, rng):
    rows, others = normal_rows(n, rng), normal_rows(n, rng)
    swapped = rng.permuted(np.tile([True, True, False, False, False, False], (n, 1)), axis=1)
    return np.where(swapped, others, rows)


# %%
# Fit many detectors
# ------------------
#
# Every repetition draws new training rows, fits a new detector and tests it on 1,000 new normal rows and 1,000
# anomalies. All training rows are normal, so ``novelty=True``.

alphas = np.array([0.01, 0.02, 0.05, 0.1, 0.2])
n_repeats = {50: 8, 500: 5, 5000: 2}
n_test = 1000
rng = np.random.default_rng(0)


def rates(n_train, seed):
    detector = AutoencoderOutlierDetector(novelty=True, random_state=seed)
    detector.fit(normal_rows(n_train, rng))
    tests = normal_rows(n_test, rng), anomalous_rows(n_test, rng)
    return [(detector.p_values(test)[:, np.newaxis] <= alphas).mean(axis=0) for test in tests]


# Per number of training rows: false alarms and anomalies found, shape (n_repeats, 2, n_alphas).
observed = {
    n: np.array([rates(n, seed) for seed in range(repeats)]) for n, repeats in n_repeats.items()
}

# %%
# What chance allows
# ------------------
#
# Even perfect p-values do not give a rate of exactly α, for two reasons.
#
# P-values from n calibration scores are multiples of 1 / (n + 1). So the rate is k / (n + 1), where k is α (n + 1)
# rounded down. With 50 rows no p-value is below 1 / 51, and α = 0.01 flags nothing.
#
# The calibration rows are random, too. Over training sets, the rate of one detector has a Beta distribution, and the
# number of alarms among its test rows is beta-binomial. The mean over the repetitions lies in the band computed here
# with probability 0.99. At most 2,000 training rows are used for calibration.


def band(n_calibration, repeats):
    limits = []
    for alpha in alphas:
        k = int(alpha * (n_calibration + 1) + 1e-9)
        if k == 0:
            limits.append((0.0, 0.0))
            continue
        alarms = betabinom(n_test, k, n_calibration + 1 - k)
        draws = alarms.rvs(size=(20_000, repeats), random_state=0).mean(axis=1) / n_test
        limits.append(tuple(np.quantile(draws, [0.005, 0.995])))
    return np.array(limits)


bands = {n: band(min(n, 2000), repeats) for n, repeats in n_repeats.items()}
print("              promised" + "".join(f"{100 * alpha:15.0f} %" for alpha in alphas))
for n, repeats in n_repeats.items():
    false, found = observed[n].mean(axis=0)
    print(f"n = {n}, {repeats} repeats")
    print("  false alarms (%)    " + "".join(f"{100 * rate:17.2f}" for rate in false))
    print(
        "  99 % band (%)       "
        + "".join(f"{100 * low:9.2f} to{100 * high:6.2f}" for low, high in bands[n])
    )
    print(
        "  one detector, s.d.  "
        + "".join(f"{100 * rate:17.2f}" for rate in observed[n][:, 0].std(axis=0, ddof=1))
    )
    print("  anomalies found (%) " + "".join(f"{100 * rate:17.1f}" for rate in found))

# %%
# What the figures show
# ---------------------
#
# On average over detectors, the observed rates are in or near the band of perfect p-values. With 50 and 500 training
# rows they tend to its lower end or below. The reason: calibration rows are scored by distances and networks that know
# two thirds of the rows, and look more unusual to them than to those that know all rows. So fewer normal rows are
# flagged than promised, not more.
#
# The rate of a single detector may be far from α with 50 training rows. With 500 it is closer, and with 5,000, of which
# 2,000 are used for calibration, closer still. The promise allows this variation: it is about the average over training
# sets and new rows.
#
# With more training rows the alarms find more anomalies. At the same rate of false alarms, detectors fitted to 50 rows
# flag far fewer of them than those fitted to 500 or 5,000.

# sphinx_gallery_start_ignore
colors = dict(zip(n_repeats, ["#D55E00", "#009E73", "#0072B2"], strict=True))
markers = dict(zip(n_repeats, ["s", "^", "o"], strict=True))
percent = 100 * alphas


def on_root_axis(value):
    # On this axis binomial shares scatter equally everywhere. Unlike a logarithmic axis, it has a zero.
    return np.sqrt(np.abs(value))


average, single, power = (
    plt.figure(figsize=(6, 4.8), layout="constrained").subplots() for _ in range(3)
)
for ax in (average, single, power):
    ax.set_xscale("function", functions=(on_root_axis, np.square))
    ax.set_xticks(percent, labels=[f"{value:.0f}" for value in percent])
    ax.set(xlabel="promised: α (%)", xlim=(0.5, 24))
    ax.grid(alpha=0.3)
for ax in (average, single):
    ax.set_yscale("function", functions=(on_root_axis, np.square))
    ax.set_yticks([0, *percent, 30, 40], labels=[f"{value:.0f}" for value in [0, *percent, 30, 40]])
    ax.plot([0, 24], [0, 24], color="black", linewidth=1, zorder=0)

for offset, n in zip([-0.12, 0, 0.12], n_repeats, strict=True):
    style = {"color": colors[n], "marker": markers[n], "label": f"{n:,} training rows"}
    x = np.square(np.sqrt(percent) + offset)  # side by side, to be seen
    false, found = 100 * observed[n].mean(axis=0)
    average.vlines(x, *100 * bands[n].T, color=colors[n], linewidth=9, alpha=0.3)
    average.plot(
        x, false, linestyle="none", markeredgecolor="white", markersize=8, clip_on=False, **style
    )
    each = 100 * observed[n][:, 0]
    single.plot(
        np.tile(x, (len(each), 1)),
        each,
        marker=markers[n],
        color=colors[n],
        linestyle="none",
        alpha=0.4,
    )
    power.plot(percent, found, **style)

average.set(
    ylabel="observed: normal rows flagged (%)",
    title="Mean of the detectors, 99 % bands",
    ylim=(0, 24),
)
single.set(ylabel="observed: normal rows flagged (%)", title="Each detector", ylim=(0, 45))
power.set(ylabel="anomalies flagged (%)", title="What the alarms find, mean", ylim=(-2, 100))
average.legend(loc="upper left", frameon=False)
# sphinx_gallery_end_ignore

plt.show()
