"""The documentation leads somewhere: links and pictures exist, snippets compile, those of the guide run."""

import ast
import json
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import skae
import skae.networks

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RUNNER = DOCS / "_ext" / "run_page.py"
SITE = DOCS / "_build"
MARKDOWN = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
SOURCES = [*MARKDOWN, *DOCS.glob("*.rst"), *(ROOT / "examples").glob("*.rst")]
# Pages that take more than about ten seconds; the build of the site runs them all.
PAGES_AT_NIGHT = {
    "guide_code_size.md",
    "guide_large_data.md",
    "guide_losses.md",
    "guide_maps.md",
    "guide_missing_values.md",
    "guide_networks.md",
    "guide_ordered.md",
    "guide_outliers.md",
    "guide_recalibration.md",
    "guide_reproducibility.md",
    "guide_serving.md",
    "guide_sparse.md",
    "guide_text.md",
    "guide_variational.md",
}

NOT_RUN, blocks_of = (runpy.run_path(str(RUNNER))[name] for name in ("NOT_RUN", "blocks_of"))


def name_of(path):
    return str(path.relative_to(ROOT))


def text_of(path):
    """A page without its fenced blocks, in which neither headings nor links are any."""
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(path):
    """What GitHub and MyST make of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), flags=re.M)
    words = [re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in words}


def links(path):
    """Targets of a page's links, pictures and includes that are no web addresses."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".rst":
        found = re.findall(r"^\.\. (?:image|figure|include):: (\S+)|`[^`<]*<(?!http)([^>]+)>`_", text, flags=re.M)
        pages = [f"{target}.*" for target in re.findall(r":doc:`(?:[^`<]*<)?([^`>]+)>?`", text)]
        return [first or second for first, second in found] + pages
    targets = re.findall(r"\]\(((?:[^()\s]|\([^()]*\))+)\)", re.sub(r"`[^`\n]*`", "", text_of(path)))
    targets += re.findall(r"^```\{include\} (\S+)", text, flags=re.M)
    return [target for target in targets if not urlsplit(target).scheme]


def dead_links(path):
    for target in links(path):
        address, _, anchor = target.partition("#")
        found = list(path.parent.glob(address)) if "*" in address else [(path.parent / address).resolve()]
        if not found or (address and not found[0].exists()):
            yield target
        elif anchor and anchor not in anchors(found[0] if address else path):
            yield target


def test_a_dead_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A `title`, long\n[a](gone.md) ![b](gone.png) [c](#a-title-long) [d](#gone) [e](https://x.org)\n`[f](g)`"
    )
    assert list(dead_links(page)) == ["gone.md", "gone.png", "#gone"]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_links_and_pictures_exist(path):
    assert list(dead_links(path)) == []


def test_every_picture_is_shown():
    shown = {(path.parent / link).resolve() for path in MARKDOWN for link in links(path)}
    assert {path for path in (DOCS / "images").iterdir() if path.resolve() not in shown} == set()


PAGES = [path for path in MARKDOWN if blocks_of(path)]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_snippets_compile(path):
    for snippet in blocks_of(path):
        ast.parse(snippet, filename=str(path))


def pages_that_run():
    """Pages to run, those that take long at night."""
    for path in PAGES:
        if path.stem not in NOT_RUN:
            mark = pytest.mark.nightly if path.name in PAGES_AT_NIGHT else pytest.mark.slow
            yield pytest.param(path, id=name_of(path), marks=mark)


@pytest.mark.parametrize("path", pages_that_run())
def test_blocks_run(path, tmp_path):
    """As the site runs them: one after the other, in a fresh interpreter, without a warning."""
    # Some pages use pandas without importing it, through `as_frame`.
    needed = {"matplotlib", "pandas", *re.findall(r"^ *(?:import|from) (\w+)", "\n".join(blocks_of(path)), flags=re.M)}
    missing = sorted(name for name in needed if find_spec(name) is None)
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    command = [sys.executable, "-W", "error", str(RUNNER), str(path), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert len(json.loads((tmp_path / "blocks.json").read_text(encoding="utf-8"))) == len(blocks_of(path))


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("plot_*.py")), ids=name_of)
def test_headings_of_examples_are_underlined(path):
    headings = re.findall(r"^(?:# )?(.+)\n(?:# )?([=-]{4,})$", path.read_text(encoding="utf-8"), flags=re.M)
    assert headings
    assert [title for title, line in headings if len(line) < len(title)] == []


def test_every_public_name_is_in_the_api():
    text = (DOCS / "api.rst").read_text(encoding="utf-8")
    named = set(re.findall(r"^   (\w+)$|^\.\. py:data:: skae\.(\w+)$", text, flags=re.M))
    assert {first or second for first, second in named} == {*skae.__all__, *skae.networks.__all__}


class Page(HTMLParser):
    """What a built page links to and fetches from elsewhere, its anchors, and what its code prints and draws."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.fetched, self.anchors, self.n_outputs, self.without_text = [], [], set(), 0, []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors.update(value for name, value in attrs if name in ("id", "name") and value)
        classes = (attributes.get("class") or "").split()
        self.n_outputs += "output" in classes or "figure-of-block" in classes
        if tag == "img" and "figure-of-block" in classes and not attributes.get("alt"):
            self.without_text.append(attributes.get("src"))
        target = attributes.get("href" if tag in ("a", "link") else "src") or ""
        parts = urlsplit(target)
        if parts.netloc and tag != "a":
            self.fetched.append(target)
        elif target and not (parts.netloc or parts.scheme):
            self.targets.append(target)


def test_a_page_is_read(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(
        '<a href="a.html" id="top"><a href="https://x.org"><img src="b.png"><script src="https://x.org/m.js"></script>'
    )
    page = Page(path)
    assert (page.targets, page.fetched, page.anchors) == (["a.html", "b.png"], ["https://x.org/m.js"], {"top"})


@pytest.fixture(scope="module")
def built_pages():
    if not (SITE / "index.html").exists():
        pytest.skip("the site is not built")
    return {path.resolve(): Page(path) for path in SITE.rglob("*.html") if "_static" not in path.parts}


def test_built_pages_fetch_nothing_from_elsewhere(built_pages):
    assert {path: page.fetched for path, page in built_pages.items() if page.fetched} == {}


def test_built_pages_lead_somewhere(built_pages):
    dead = []
    for path, page in built_pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            found = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            page_found = built_pages.get(found)
            missing_anchor = parts.fragment and page_found and unquote(parts.fragment) not in page_found.anchors
            if not found.exists() or missing_anchor:
                dead.append((name_of(path), target))
    assert dead == []


def test_built_pages_show_what_their_code_does(built_pages):
    """A page whose blocks fail shows nothing."""
    pages = {path: built_pages[(SITE / f"{path.stem}.html").resolve()] for path in PAGES if path.parent == DOCS}
    silent = [path.name for path, page in pages.items() if path.stem not in NOT_RUN and not page.n_outputs]
    assert silent == []
    assert [page.without_text for page in pages.values() if page.without_text] == []
