"""How Sphinx makes the site: `make docs`."""

import os
import sys
from pathlib import Path

import harmonium

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
os.environ.pop("MPLBACKEND", None)  # the guide's kernels draw into their pages, the gallery by agg

project = "Harmonium"
release = version = harmonium.__version__
project_copyright = "the authors of Harmonium; BSD 3-clause"
html_title = "Harmonium"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_nb",
    "sphinx_codeautolink",
    "sphinx_gallery.gen_gallery",
    "citation",
    "executed",
    "links",
    "live_net",
    "mathml",
    "plain_types",
    "prose_docstrings",
    "public_names",
    "results_table",
]
exclude_patterns = ["gallery", "extensions", "static", "auto_gallery/*.ipynb"]

# Markdown, and the guide's pages, which run
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
html_math_renderer = "mathml"
suppress_warnings = [
    "config.cache",  # the gallery's settings hold functions
    "codeautolink.match_name",  # a name in an import may be linked already
]

# The API
napoleon_preprocess_types = True
viewcode_line_numbers = True
autodoc_default_options = {"exclude-members": "set_fit_request, set_partial_fit_request, set_score_request"}  # made by scikit-learn
autodoc_inherit_docstrings = False  # a public name is documented once, where it is defined
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autosummary_generate = False
python_maximum_signature_line_length = 110
toc_object_entries_show_parents = "hide"
add_module_names = False
default_role = "literal"
highlight_language = "text"

# The gallery
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"plot_",
    "within_subsection_order": "FileNameSortKey",
    "show_memory": False,
    "write_computation_times": False,  # a page that would need a script from elsewhere
    "image_srcset": ["2x"],
    "abort_on_example_error": True,
    "download_all_examples": False,
    "capture_repr": (),  # what a page shows, its script prints: the repr of a plot's last line is an address
    "remove_config_comments": True,
}

# The pages
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": True,
    # Text that can be read on either ground: tests/test_docs_site.py holds each to a contrast of 4.5.
    "light_css_variables": {
        "color-background-primary": "#ffffff",
        "color-background-secondary": "#f2f4f7",
        "color-foreground-primary": "#1f2328",
        "color-foreground-secondary": "#4d5158",
        "color-foreground-muted": "#5c6168",
        "color-brand-primary": "#0a4bd9",
        "color-brand-content": "#1f4fd0",
        "color-brand-visited": "#7a28c9",
        "color-problematic": "#a80000",
    },
    "dark_css_variables": {
        "color-background-primary": "#131416",
        "color-background-secondary": "#1f2124",
        "color-foreground-primary": "#d6d8da",
        "color-foreground-secondary": "#a9adb2",
        "color-foreground-muted": "#969ba2",
        "color-brand-primary": "#5ca5ff",
        "color-brand-content": "#6cafff",
        "color-brand-visited": "#bd90ee",
        "color-problematic": "#ff7d7d",
    },
}
