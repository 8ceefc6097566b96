# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The published results of the methods, run again through skdg's public estimators.

An experiment is a module of this package, named in `EXPERIMENTS`, with

* ``TITLE`` and ``SOURCE``: what is run again, and the paper;
* ``MEASURES``: how each measure is called in tables;
* ``jobs(scale)``: the list of `Job`, "quick" or "paper";
* ``run(job, options)``: fits and returns the measures of one job, by name. It must
  depend on nothing else, so that jobs can be run one by one and in any order;
* in its place, for fits side by side, ``N_TOGETHER`` and ``run_together(jobs,
  options)``, which returns the measures of at most so many jobs that differ in their
  seeds alone. They depend on each other by rounding only;
* ``PUBLISHED``: ``{(setting, method): {measure: (mean, deviation or None)}}``;
* ``HEADLINES`` and ``HEADLINE_MEASURES``: pairs (setting, method), and their measures,
  that the README shows;
* ``NEEDS``, if data do not come with skdg: the option that names the file.
"""

EXPERIMENTS = {
    "fish-linear": "benchmarks.reproduce.fish_linear",
    "irm-sem": "benchmarks.reproduce.irm_sem",
    "colored-mnist": "benchmarks.reproduce.colored_mnist",
    "cdsprites": "benchmarks.reproduce.cdsprites",
    "linear-unit-tests": "benchmarks.reproduce.linear_unit_tests",
    "school": "benchmarks.reproduce.school",
    "gradient-products": "benchmarks.reproduce.gradient_products",
}
