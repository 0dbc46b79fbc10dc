"""
Choose parameters with Optuna
=============================

Optuna proposes parameters of a whole :class:`~sklearn.pipeline.Pipeline`, one trial after another. Here it chooses the
number of components of the autoencoder, and the penalty of the classifier, for pictures of digits.
"""

import matplotlib.pyplot as plt
import optuna
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=400, stratify=y, random_state=0
)


def make_model(n_components, C):
    return make_pipeline(AutoencoderTransformer(n_components, random_state=0), SVC(C=C))


def accuracy(trial):
    n_components = trial.suggest_int("n_components", 2, 16, log=True)
    C = trial.suggest_float("C", 0.1, 100, log=True)
    return cross_val_score(make_model(n_components, C), X_train, y_train, cv=3).mean()


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(accuracy, n_trials=10)
best = make_model(**study.best_params).fit(X_train, y_train)
print(f"best of {len(study.trials)} trials: {study.best_params}, accuracy {study.best_value:.3f}")
print(f"on {len(X_test)} other pictures: {best.score(X_test, y_test):.3f}")

# %%
# The trials
# ----------
#
# Optuna's own plots (``optuna.visualization.matplotlib``) show this and more.

trials = study.trials_dataframe()
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
points = ax.scatter(
    trials["params_n_components"], trials["value"], c=trials["params_C"], norm="log"
)
ax.set(xlabel="n_components", ylabel="cross-validated accuracy", title="Trials")
figure.colorbar(points, label="C of the classifier")
plt.show()
