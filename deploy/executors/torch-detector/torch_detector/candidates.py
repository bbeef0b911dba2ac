"""Mining, inference or both over the candidate images, which are read once and forgotten batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any

import numpy as np

from torch_detector.annotations import Truth
from torch_detector.checkpoint import Model, read_model
from torch_detector.contract import Environment, model_files, read_index
from torch_detector.detect import looked_at
from torch_detector.devices import chosen_device, precision
from torch_detector.errors import DatasetError
from torch_detector.loading import Batches, Images
from torch_detector.mine import embeddings, undecided
from torch_detector.monitor import Monitor
from torch_detector.results import DetectionsFile, EmbeddingsFile, write_ranking, written
from torch_detector.settings import DetectionSettings, LoadingSettings, MiningSettings, chosen

NOTHING = Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))


def examine(environment: Environment, config: Mapping[str, Any], monitor: Monitor) -> None:
    """Write result.tsv and embeddings.npy, infer-result.json, or all of them; raise ExecutorError."""
    mining = chosen(MiningSettings, config)
    images = [line[0] for line in read_index(environment.candidate_index)]
    if not images:
        raise DatasetError(f"{environment.candidate_index} names no image")
    model = read_model(model_files(config, "model_params_path"))
    by_lot = mining.mining_algorithm == "random"
    scores = np.random.default_rng(mining.seed).random(len(images))
    if environment.run_infer or not by_lot:
        seen = _looked_through(images, model, environment, config, monitor)
        scores = scores if by_lot else seen
    print(f"{len(images)} candidates examined", flush=True)
    if environment.run_mining:
        order = np.argsort(-scores, kind="stable")
        write_ranking(environment.mining_result, [(images[index], float(scores[index])) for index in order])


def _looked_through(
    images: list[str], model: Model, environment: Environment, config: Mapping[str, Any], monitor: Monitor
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Write what is asked for of each image, and return how undecided the network is on it."""
    loading, detection = chosen(LoadingSettings, config), chosen(DetectionSettings, config)
    device = chosen_device(config, loading)
    network, kind = model.network(device), precision(device, mixed=True)
    side = model.shape.side_of_canvas(model.image_size)
    shown = Images(images, [NOTHING] * len(images), model.image_size, side)
    batches = Batches(shown, batch_size=loading.batch_size, workers=loading.workers, device=device)
    scores = np.zeros(len(images))
    done = 0
    with ExitStack() as files:
        vectors, detections = _outputs(files, environment, model, count=len(images))
        for batch, seen, found in looked_at(network, batches, detection, device=device, kind=kind):
            if vectors is not None:
                vectors.add(embeddings(seen.features, batch, network))
            for one in found:
                scores[done] = undecided(one)
                if detections is not None:
                    detections.add(images[done], one)
                done += 1
            monitor.running(0.99 * done / len(images))
    return scores


def _outputs(
    files: ExitStack, environment: Environment, model: Model, *, count: int
) -> tuple[EmbeddingsFile | None, DetectionsFile | None]:
    vectors = detections = None
    if environment.run_mining:
        beside = files.enter_context(written(environment.embeddings))
        vectors = files.enter_context(closing(EmbeddingsFile(beside, count=count)))
    if environment.run_infer:
        beside = files.enter_context(written(environment.infer_result))
        file = files.enter_context(beside.open("w", encoding="utf-8"))
        detections = files.enter_context(closing(DetectionsFile(file, model.class_names)))
    return vectors, detections
