"""scikit-learn's own estimator checks, those that `check_estimator` leaves out among them."""

import pytest
import torch
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

# At its defaults the estimator does not train on the few rows of most checks. This one trains on any number, on all
# rows at once and without noise, so that its result depends on rows and weights alone. At PCA's optimum some gradients
# of the squared error are zero up to rounding, which AdamW would scale up; those of Huber's loss are not.
TRAINED = {
    "loss": "huber",
    "corruption": "gaussian",
    "corruption_level": 0.0,
    "max_iter": 10,
    "batch_size": 10_000,
    "early_stopping": False,
}
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # Some checks fit with names and transform without them on purpose.
    pytest.mark.filterwarnings("ignore:X (has feature names, but|does not have valid feature names):UserWarning"),
]


class TwoLayers(torch.nn.Module):
    def __init__(self, n_features, n_outputs, n_components):
        super().__init__()
        self.encode, self.decode = torch.nn.Linear(n_features, n_outputs), torch.nn.Linear(n_components, n_features)


ESTIMATORS = [
    AutoencoderTransformer(),
    AutoencoderTransformer(**TRAINED),
    AutoencoderTransformer(network=TwoLayers),
    AutoencoderTransformer(code="variational"),
    AutoencoderTransformer(code="neighbors"),
    AutoencoderOutlierDetector(),
    AutoencoderOutlierDetector(method="reconstruction"),
    AutoencoderOutlierDetector(novelty=True, max_iter=0),
    AutoencoderOutlierDetector(method="reconstruction", contamination=0.1),
    AutoencoderTransformer(n_components=3, whiten=True, scale=True),
    AutoencoderTransformer(corruption="masking"),
    AutoencoderTransformer(corruption="swap", corruption_level=0.2, loss="huber"),
    AutoencoderTransformer(code="sparse"),
    AutoencoderTransformer(n_components=3, code="sparse", n_nonzero=2),
    AutoencoderTransformer(code="ordered"),
]
EXTRA_CHECKS = [
    "check_dataframe_column_names_consistency",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_inplace_ensure_writeable",
]


@parametrize_with_checks(ESTIMATORS[:1])
def test_check_estimator_at_its_defaults(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(ESTIMATORS[1:7])
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.nightly
@parametrize_with_checks(ESTIMATORS[7:])
def test_check_estimator_of_the_other_members(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [*ESTIMATORS[:2], ESTIMATORS[8]], ids=["defaults", "trained", "whitened"])
@pytest.mark.parametrize("name", EXTRA_CHECKS)
def test_checks_outside_check_estimator(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


def test_no_tag_hides_non_determinism():
    for estimator in ESTIMATORS:
        assert not estimator.__sklearn_tags__().non_deterministic


@pytest.mark.nightly
@pytest.mark.parametrize("parameters", [{}, {"method": "reconstruction"}, {"novelty": True}], ids=str)
def test_no_check_of_detectors_is_expected_to_fail(parameters):
    """As users call it, with networks: it raises if a check fails."""
    check_estimator(AutoencoderOutlierDetector(**parameters), on_skip=None)
