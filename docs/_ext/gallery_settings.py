"""How the gallery runs the examples, and in which sections it shows them."""

import re
import tempfile
from pathlib import Path

SECTIONS = {
    "Start here": ["plot_replace_pca", "plot_broken_sensor", "plot_outliers", "plot_displays"],
    "Reduce and compress": [
        "plot_map",
        "plot_pipeline_grid_search",
        "plot_clustering",
        "plot_compression",
        "plot_sparse_codes",
        "plot_structure_or_noise",
    ],
    "Find outliers": ["plot_clean_or_not", "plot_novelty_digits", "plot_false_alarm_rate"],
    "Repair": ["plot_missing_values", "plot_guess_letters", "plot_denoising", "plot_sounds"],
    "Generate, and learn from few labels": ["plot_generate", "plot_pretraining"],
}
OTHERS = "With other packages"
ORDER = [name for names in SECTIONS.values() for name in names]
THUMBNAIL = re.compile(r'\.\. raw:: html\n\n    <div class="sphx-glr-thumbcontainer".*?</div>\n    </div>\n', re.S)


def into_a_temporary_folder(gallery_conf, script_vars):
    """Arguments of an example: its pictures go where they bother nobody."""
    return ["--out", tempfile.mkdtemp(prefix="skae-examples-")]


class TeachingOrder:
    """Sorts examples: those to begin with first, the others by name."""

    def __init__(self, source_directory):
        self.source_directory = source_directory

    def __call__(self, name):
        """Sort by this."""
        stem = Path(name).stem
        return (ORDER.index(stem) if stem in ORDER else len(ORDER), name)


def section_of(thumbnail):
    """The section that shows an example; those without one use other packages."""
    name = re.search(r":doc:`/auto_examples/(\w+)`", thumbnail).group(1)
    return next((section for section, names in SECTIONS.items() if name in names), OTHERS)


def into_sections(app):
    """Give the page of the gallery its headings."""
    page = Path(app.srcdir) / "auto_examples" / "index.rst"
    text = page.read_text(encoding="utf-8")
    thumbnails = THUMBNAIL.findall(text)
    before, after = text.split(thumbnails[0])[0], text.split(thumbnails[-1])[1]
    opening = before[before.rindex(".. raw:: html") :]
    closing = after[: after.index(".. toctree::")]
    page_text = before.removesuffix(opening)
    for section in [*SECTIONS, OTHERS]:
        shown = "\n".join(thumbnail for thumbnail in thumbnails if section_of(thumbnail) == section)
        if shown:
            page_text += f"{section}\n{'-' * len(section)}\n\n{opening}{shown}{closing}"
    page.write_text(page_text + after.removeprefix(closing), encoding="utf-8")


def setup(app):
    """Connect to Sphinx, after the gallery is made."""
    app.connect("builder-inited", into_sections, priority=900)
    return {"parallel_read_safe": True}
