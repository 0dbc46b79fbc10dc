"""Sphinx settings.

`sphinx-build -W --keep-going docs docs/_build` builds the site, runs the code blocks of its pages and the examples;
`-D plot_gallery=0` leaves the examples out, `-D run_pages=0` the code blocks.
"""

import html
import re
import sys
import textwrap
import tomllib
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from docutils import nodes

import skae

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
# "https://github.com/OWNER/NAME" as "Source" in [project.urls]: links to the source appear once it is there.
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {}).get("Source")

project = "skae"
author = "The skae developers"
copyright = author
version = release = skae.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "benchmark_figures",
    "gallery_settings",
    "mathml",
    "page_outputs",
]
root_doc = "index"
exclude_patterns = ["_build", "_ext", "_templates"]
templates_path = ["_templates"]

# Markdown: $..$ as on GitHub, and anchors of headings as GitHub makes them.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}


def reachable(inventories):
    """Those of the inventories that answer, so that a build without a network links less and warns of nothing."""
    found = {}
    for name, address in inventories.items():
        try:
            urllib.request.urlopen(address + "objects.inv", timeout=3).close()
        except OSError:
            continue
        found[name] = (address, None)
    return found


intersphinx_mapping = reachable(
    {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "sklearn": "https://scikit-learn.org/stable/",
        "matplotlib": "https://matplotlib.org/stable/",
        "torch": "https://docs.pytorch.org/docs/stable/",
    }
)

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skae",),
    # Some examples save their pictures into --out; the gallery takes the figures that stay open.
    "reset_argv": "gallery_settings.into_a_temporary_folder",
    "within_subsection_order": "gallery_settings.TeachingOrder",
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
    "thumbnail_size": (480, 360),
    "download_all_examples": False,
    "plot_gallery": "True",
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_selector = "div:not(.output) > div.highlight pre"

html_theme = "pydata_sphinx_theme"
html_title = f"skae {release}"
html_logo = html_favicon = "_static/logo.svg"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["skae.css"]
html_copy_source = False
html_show_sourcelink = False
# Code needs the room that a table of contents would take.
without_contents = [
    "index",
    "auto_examples/index",
    *(f"auto_examples/{path.stem}" for path in EXAMPLES.glob("*.py")),
]
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 5,
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], **{name: [] for name in without_contents}},
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "logo": {"text": html_title, "alt_text": "skae"},
}
if REPOSITORY:
    owner, name = REPOSITORY.rstrip("/").split("/")[-2:]
    html_context = {"github_user": owner, "github_repo": name, "github_version": "main", "doc_path": "docs"}
    html_theme_options |= {"github_url": REPOSITORY, "use_edit_page_button": True}
    for items in html_theme_options["secondary_sidebar_items"].values():
        items += ["edit-this-page"] if items else []
# Pages with no or one neighbour in their part of the site need no sidebar: their tables need the room.
alone = ("index", "getting_started", "benchmarks", "speed", "coming_from", "alternatives", "contributing", "changelog")
html_sidebars = {name: [] for name in alone}


def shorten_inherited(app, what, name, obj, options, lines):
    """Leave one sentence of the methods that scikit-learn gives every estimator: it documents them."""
    if what == "method" and (getattr(obj, "__module__", None) or "").startswith("sklearn."):
        lines[:] = [*lines[: lines.index("") if "" in lines else None], "", "Inherited from scikit-learn."]


def escape_shapes(app, what, name, obj, options, lines):
    """Keep ``(n_features_in_,)`` in types from being read as a link to a target of that name."""
    lines[:] = [re.sub(r"_(?=[,)])", r"\\_", line) if " of shape (" in line else line for line in lines]


def link_within_the_site(app, docname, source):
    """Point links that lead to files of the repository, for readers there, to the pages made of them."""
    text = source[0].replace("](../examples/README.rst)", "](auto_examples/index.rst)")
    text = re.sub(r"\]\(\.\./examples/(plot_\w+)\.py\)", r"](auto_examples/\1.rst)", text)
    source[0] = re.sub(r"\]\(\.\./README\.md[^)]*\)", "](index.md)", text)


def complete_page(app, pagename, templatename, context, doctree):
    """Give search engines the first paragraph of a page; link to the source of those that have one."""
    paragraph = next(iter(doctree.findall(nodes.paragraph)), None) if doctree else None
    if paragraph:
        text = textwrap.shorten(paragraph.astext(), 200, placeholder=" ...")
        context["metatags"] += f'<meta name="description" content="{html.escape(text)}">\n'
    if pagename.startswith("generated/"):
        context["theme_use_edit_page_button"] = False  # the repository does not have these pages


def setup(app):
    """Connect to Sphinx; to autodoc after numpydoc."""
    app.connect("html-page-context", complete_page)
    app.connect("source-read", link_within_the_site)
    app.connect("autodoc-process-docstring", shorten_inherited, priority=100)
    app.connect("autodoc-process-docstring", escape_shapes, priority=900)
