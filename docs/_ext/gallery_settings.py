"""How the gallery runs the examples, and in which order it shows them."""

import tempfile

ORDER = (
    "plot_replace_pca.py",
    "plot_outliers.py",
    "plot_displays.py",
    "plot_pipeline_grid_search.py",
    "plot_novelty_digits.py",
    "plot_false_alarm_rate.py",
    "plot_compression.py",
    "plot_missing_values.py",
    "plot_denoising.py",
    "plot_generate.py",
    "plot_sounds.py",
    "plot_pretraining.py",
    "plot_clustering.py",
    "plot_guess_letters.py",
    "plot_sparse_codes.py",
    "plot_clean_or_not.py",
    "plot_structure_or_noise.py",
    "plot_skrub.py",
    "plot_columns_and_onnx.py",
    "plot_mlflow.py",
    "plot_optuna.py",
    "plot_serving.py",
    "plot_shap.py",
)


def into_a_temporary_folder(gallery_conf, script_vars):
    """Arguments of an example: its pictures go where they bother nobody."""
    return ["--out", tempfile.mkdtemp(prefix="skae-examples-")]


class TeachingOrder:
    """Sorts examples: those to begin with first, the others by name."""

    def __init__(self, source_directory):
        self.source_directory = source_directory

    def __call__(self, name):
        """Sort by this."""
        return (ORDER.index(name) if name in ORDER else len(ORDER), name)
