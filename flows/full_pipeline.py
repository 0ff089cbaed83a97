"""The whole workflow, from the images to the report: `python flows/full_pipeline.py --help`."""

from __future__ import annotations

from mnist_models.config import Settings, parse_command_line

if __name__ == "__main__":  # --help answers, and a bad option is refused, before the heavy imports
    SETTINGS = parse_command_line()

from prefect import flow

from flows.cnn import cnn_augmentation, cnn_baseline, cnn_bayesian, cnn_learning_rate, cnn_residual
from flows.final_evaluation import final_evaluation
from flows.fully_connected import fully_connected_baseline, fully_connected_grid, fully_connected_hyperband
from flows.preprocessing import preprocessing
from flows.run import name_run, run

@flow(name="full_pipeline", flow_run_name=name_run)
def full_pipeline(settings: Settings):
    dataset = preprocessing(settings)
    stages = [
        fully_connected_baseline(settings, dataset),
        fully_connected_grid(settings, dataset),
        fully_connected_hyperband(settings, dataset),
        cnn_baseline(settings, dataset),
    ]
    architecture = cnn_bayesian(settings, dataset)
    augmented = cnn_augmentation(settings, dataset, architecture)
    stages += [architecture, augmented, cnn_learning_rate(settings, dataset, augmented), cnn_residual(settings, dataset)]
    final, members = final_evaluation(settings, dataset, stages)
    return final


if __name__ == "__main__":
    run(full_pipeline, SETTINGS)
