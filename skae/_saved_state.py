"""The format of saved estimators: its version, upgrades from earlier formats, and the types that skops may trust.

A file contains the parameters, the public fitted attributes, and the private ones as arrays and plain values. The
private ones are made by `_fitted_to_state` of the estimators: for a transformer from `FittedAutoencoder.to_state` and
`IncrementalState.to_state`, for a detector from `to_state` of its scorer and of `Calibration`. Whoever changes names or
meanings increases `FORMAT_VERSION` and adds a function to `UPGRADES` that turns a state of the previous format into one
of the new format. When a file is opened, these functions are applied one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FORMAT_VERSION = 5
FORMAT_KEY = "_skae_format"

# For `skops.io.load(file, trusted=SKOPS_TRUSTED)`. No other types are needed, because fitted state consists of NumPy
# arrays and plain values. The exception is a custom network, which skops does not save.
SKOPS_TRUSTED = [
    "skae._outlier_detector.AutoencoderOutlierDetector",
    "skae._transformer.AutoencoderTransformer",
]

State = dict[str, Any]


def upgraded(state: State, owner: str) -> State:
    """Convert a saved state of any known format to the present one, and remove its version.

    Raises ValueError for a state that a later version of skae has saved, and for one without a version.
    """
    version = state.get(FORMAT_KEY)
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ValueError(
            f"This {owner} was saved in format {version}, but the installed skae reads formats 1 to {FORMAT_VERSION}. "
            "Install the version of skae it was saved with, or fit it again. See docs/saving.md."
        )
    state = {name: value for name, value in state.items() if name != FORMAT_KEY}
    for number in range(version, FORMAT_VERSION):
        state = UPGRADES[number](state)
    return state


def _from_format_1(state: State) -> State:
    """The format of 0.1.0.dev0 before `code`, `corruption=None` and the scorers: flat dictionaries of arrays."""
    state = {name: value for name, value in state.items() if name not in ("solver", "distributed")}
    if "pca_loss_" in state:
        state["initial_loss_"] = state.pop("pca_loss_")
    return _transformer_from_format_1(state) if "variational" in state else state


def _transformer_from_format_1(state: State) -> State:
    sparsity = state.pop("sparsity")
    flags = {"ordered": state.pop("ordered"), "variational": state.pop("variational"), "sparse": sparsity is not None}
    state["code"] = next((code for code, is_set in flags.items() if is_set), "dense")
    state["n_nonzero"] = _n_nonzero(sparsity)
    if state["corruption"] == "gaussian" and isinstance(state["corruption_level"], str):
        state["corruption"] = None
    if "_state" in state:
        state["_fitted"] = _autoencoder_from_format_1(state.pop("_state"), state.pop("_codes"))
        kept = state.pop("_kept")
        n_components = state["n_components_"]
        covariance = kept.get("covariance")
        state["_incremental"] = {
            "weight": kept["weight"],
            "variances": kept["variances"][:n_components] if covariance is None else None,
            "total_variance": kept.get("total_variance"),
            "covariance": covariance,
            "reservoir": {"rows": kept["rows"], "weight": kept["row_weight"], "priorities": kept["keys"]},
            "n_steps": kept["n_steps"],
            "vectors": kept.get("course", []),
        }
    return state


def _autoencoder_from_format_1(fitted: State, sample_codes: Any) -> State:
    architecture = fitted["architecture"]
    flags = {
        "ordered": architecture["ordered"],
        "variational": architecture["variational"],
        "sparse": architecture["sparsity"] is not None,
    }
    return {
        "config": {
            "code": next((code for code, is_set in flags.items() if is_set), "dense"),
            "n_nonzero": _n_nonzero(architecture["sparsity"]),
            "beta": architecture["beta"],
            "loss": architecture["loss"],
            "hidden_layer_sizes": architecture["hidden_layer_sizes"],
            "activation": architecture["activation"],
        },
        "linear": {
            "mean": fitted["mean"],
            "scale": fitted["scale"] * fitted["unit"],
            "unit": fitted["unit"],
            "encoder_axes": fitted["encoder_axes"],
            "decoder_axes": fitted["decoder_axes"],
            "code_bias": fitted["code_bias"],
            "noise_variance": fitted["noise_variance"],
            "log_posterior_variance": fitted["log_posterior_variance"],
        },
        "imputer": {
            "factors": fitted["fill_factors"],
            "noise_variance": fitted["fill_noise"],
            "deviation": fitted.get("fill_deviation"),
        },
        "weights": fitted["weights"],
        "code_map": fitted["code_map"],
        "takes_mask": architecture["sees_missing"],
        "module": architecture["module"],
        "sample_codes": sample_codes,
    }


def _n_nonzero(sparsity: Any) -> int | None:
    if isinstance(sparsity, float):
        raise ValueError(
            f"This AutoencoderTransformer was saved with sparsity={sparsity}, a penalty on absolute values that skae "
            "no longer has. Fit it again with code='sparse': see docs/guide_sparse.md."
        )
    return sparsity


def _from_format_2(state: State) -> State:
    """The format of 0.1.0.dev0 before `novelty`. Fitted detectors computed other scores, from another state."""
    if "contamination" not in state:
        return state
    if "n_components_" in state:
        raise ValueError(
            "This AutoencoderOutlierDetector was fitted by an earlier version of skae, whose scores were different. It "
            "cannot be converted. Fit it again, or install the version of skae it was saved with. See docs/saving.md."
        )
    return state | {"novelty": False}


def _from_format_3(state: State) -> State:
    """The format of 0.1.0.dev0 before corrections faded out beyond the training rows."""
    unlimited = {"row_norm": float("inf"), "code_norm": float("inf")}
    if "_fitted" in state:
        return state | {"_fitted": state["_fitted"] | {"training_range": unlimited}}
    scorer = state.get("_scorer", {})
    if "autoencoder" not in scorer:
        return state
    return state | {"_scorer": scorer | {"autoencoder": scorer["autoencoder"] | {"training_range": unlimited}}}


def _from_format_4(state: State) -> State:
    """The format of 0.1.0.dev0 before categorical features."""
    if "contamination" not in state:
        return state
    fitted: State = {"categories_": {}} if "n_components_" in state else {}
    return state | {"categorical_features": "from_dtype"} | fitted


# Each function turns the format that is its key into the next one.
UPGRADES: dict[int, Callable[[State], State]] = {
    1: _from_format_1,
    2: _from_format_2,
    3: _from_format_3,
    4: _from_format_4,
}
