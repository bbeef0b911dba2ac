"""Mining, inference or both over the candidate images, which are read once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tiny_detector import mine
from tiny_detector.contract import Environment, model_files, read_index
from tiny_detector.errors import DatasetError
from tiny_detector.infer import View, views
from tiny_detector.model import Model, load_first
from tiny_detector.monitor import Monitor
from tiny_detector.results import write_detections, write_embeddings, write_ranking
from tiny_detector.settings import DetectionSettings, MiningSettings, chosen


def examine(environment: Environment, config: Mapping[str, Any], monitor: Monitor) -> None:
    """Write result.tsv, infer-result.json or both; raise ExecutorError."""
    mining, detection = chosen(MiningSettings, config), chosen(DetectionSettings, config)
    images = [line[0] for line in read_index(environment.candidate_index)]
    if not images:
        raise DatasetError(f"{environment.candidate_index} names no image")
    model = load_first(model_files(config, "model_params_path"))
    blind = mining.mining_algorithm == "random" and not environment.run_infer
    seen = [] if blind else views(images, model, detection, monitor.part(0, 0.98))
    print(f"{len(images)} candidates examined", flush=True)
    if environment.run_mining:
        ranking = _ranking(len(images), seen, model, mining)
        write_ranking(environment.mining_result, [(images[index], score) for index, score in ranking])
    if seen:
        write_embeddings(environment.embeddings, np.array([view.embedding for view in seen]))
    if environment.run_infer:
        write_detections(environment.infer_result, images, seen, model.class_names)


def _ranking(count: int, seen: list[View], model: Model, settings: MiningSettings) -> mine.Ranking:
    if settings.mining_algorithm == "random":
        return mine.at_random(count, seed=settings.seed)
    if settings.mining_algorithm == "entropy":
        return mine.by_entropy(seen)
    return mine.by_two_stages(seen, model.labelled, settings)
