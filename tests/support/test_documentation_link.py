"""The display of an estimator in a notebook links to its page, once the documentation has an address."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae._support import _documentation

SITE = Path(__file__).parents[2] / "docs" / "_build"
ESTIMATORS = [AutoencoderTransformer, AutoencoderOutlierDetector]


class Metadata:
    """What `importlib.metadata` says of a package with these addresses."""

    def __init__(self, *entries):
        self.entries = list(entries)

    def get_all(self, name):
        assert name == "Project-URL"
        return self.entries or None


@pytest.fixture
def address(monkeypatch):
    entries = Metadata("Source, https://source.example", "Documentation, https://docs.example/skae/")
    monkeypatch.setattr(_documentation, "metadata", {"skae": entries}.__getitem__)
    return "https://docs.example/skae"


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_display_links_to_the_page_of_the_estimator(estimator, address):
    page = f"generated/skae.{estimator.__name__}.html"
    assert f'href="{address}/{page}"' in estimator()._repr_html_()
    assert f'href="{address}/{page}"' in make_pipeline(PCA(), estimator())._repr_html_()
    assert (SITE / page).exists() or not (SITE / "index.html").exists()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_without_an_address_there_is_no_link(estimator, monkeypatch):
    monkeypatch.setattr(_documentation, "metadata", {"skae": Metadata()}.__getitem__)
    assert "generated/skae" not in estimator()._repr_html_()


def test_a_package_that_is_not_installed_has_no_address(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_documentation, "metadata", missing)
    assert _documentation.documentation_address() == ""


def test_classes_of_users_do_not_link_to_pages_of_skae(address):
    class Own(AutoencoderTransformer):
        pass

    assert address not in Own()._repr_html_()
