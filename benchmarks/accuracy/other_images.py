"""The search of `residual_recipe` on images that it was not made for, and the final model's error on their test set.

    python -m benchmarks.accuracy.other_images [--profile standard] [--seeds N] [--seed N] [--only NAME] [--quick]
        [--json FILE]

For rotated MNIST and MNIST on a noisy background (`benchmarks/variants`), nothing set by hand: the search, its winner,
and the final stage, each seed in a store of its own. Published figures are of images (2007) that these
imitate: a plain CNN 5.0 %, one with built-in rotations 2.3 % on rotated ones (Cohen and Welling 2016); 6.7 to 20 %
on noisy backgrounds (Larochelle et al. 2007).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figure, Ratio, add_seeds, arguments, at_most, report, seeds_of
from benchmarks.variants.variants import VARIANTS, write
from running.terminal import prepare, run

TARGETS = {"standard": {"rotated": 3.0, "noisy_background": 5.0}, "full": {"rotated": 2.0}}  # % of the test images
QUICK: dict[str, Any] = {
    "images": 600,
    "epoch_images": 500,
    "recipe_trials": 2,
    "recipe_epochs": 1.0,
    "final_epochs": 1.0,
}


def main(options: argparse.Namespace) -> None:
    """Runs one after another, and prints."""
    errors: dict[str, list[float]] = {}
    minutes: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="images-") as name:
        folder = Path(name)
        os.environ["PREFECT_HOME"] = str(folder / "prefect")
        prepare()
        from mnist_models.foundation.settings import Settings

        def run_all(_: Settings) -> None:
            for variant in [options.only] if options.only else VARIANTS:
                data = write(variant, folder)
                for seed in seeds_of(options):
                    store, start = folder / f"{variant}-{seed}", time.perf_counter()
                    changes = {"exports": None, **(QUICK if options.quick else {})}
                    settings = Settings(profile=options.profile, data=data, store=store, seed=seed, **changes)
                    errors.setdefault(variant, []).append(_test_error(settings))
                    minutes.setdefault(variant, []).append((time.perf_counter() - start) / 60)

        run(run_all, Settings(store=folder))
    figures, claims = [], []
    for variant, found in errors.items():
        figures.append(Figure(f"{variant}: test error", "%", found))
        figures.append(Figure(f"{variant}: search and final stage", "min", minutes[variant]))
        target = TARGETS.get(options.profile, {}).get(variant)
        name, mean = f"{variant}: mean test error, %", sum(found) / len(found)
        claims.append(at_most(name, mean, target) if target else Ratio(name, mean))
    report(f"Other images, {options.profile}", figures, claims, options)


def _test_error(settings: Any) -> float:
    """Searches, trains the final models and judges them; returns the error of their average in percent."""
    from prefect import flow

    from flows.final_evaluation import final_evaluation
    from flows.preprocessing import preprocessing
    from flows.recipe import residual_recipe

    @flow(name="other_images")
    def search_and_judge() -> float:
        dataset = preprocessing(settings)
        final = final_evaluation(settings, dataset, [residual_recipe(settings, dataset)])
        return 100 * (1 - final.judgement.ensemble.test_accuracy)

    return search_and_judge()


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--profile", default="standard", choices=["standard", "full"], help="(default: standard)")
    add_seeds(parser, "runs of each")
    parser.add_argument("--only", choices=[*VARIANTS], help="one of them (default: all)")
    main(parser.parse_args())
