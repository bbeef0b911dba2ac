"""Ways to break the container contract: the sample executor with one text in the place of another."""

from typing import Final, NamedTuple

from schemas.executors import Purpose
from workers.executors.conformance.pictures import COUNT

TRAINING, MINING, INFER = Purpose

RESULT_YAML: Final = 'Path(env["output"]["training_result_file"]).write_text(yaml.safe_dump(result), encoding="utf-8")'
RESULT_TSV: Final = 'Path(env["output"]["mining_result_file"]).write_text("".join(lines), encoding="utf-8")'
RESULT_JSON: Final = 'Path(env["output"]["infer_result_file"]).write_text(result, encoding="utf-8")'
RECORD: Final = "{env['task_id']}\\t{time.time():.6f}\\t{share:.6f}\\t{state}{more}\\n"
LINE: Final = "{image}\\t{1 - place / len(ranked):.6f}\\n"
SCORE: Final = "{1 - place / len(ranked):.6f}"
MODELS: Final = '    models = Path(env["output"]["models_dir"])\n'
READY: Final = "    progress(0.9)\n"
EMBEDS: Final = "import numpy; numpy.save(Path(env['output']['root_dir'], 'embeddings.npy'), {})\n    " + RESULT_TSV


class Variant(NamedTuple):
    """One way to break the contract: a text in the place of another, and the rules that are to be seen as broken."""

    old: str
    new: str
    purpose: Purpose
    rules: set[str]


VARIANTS: Final = {
    "crashes": Variant("progress(0.0)\n", "progress(0.0); os.abort()\n", TRAINING, {"ends"}),
    "fails": Variant("    return 0\n", "    return 3\n", TRAINING, {"ends"}),
    "says that it failed, and ends as if it had not": Variant(
        "_tell(env, 1.0, DONE)", "_tell(env, 1.0, FAILED)", TRAINING, {"ends"}
    ),
    "writes no monitor": Variant("beside.replace(path)", "beside.unlink()", TRAINING, {"monitor-written"}),
    "writes spaces into the monitor": Variant(RECORD, RECORD.replace("\\t", " "), TRAINING, {"monitor-form"}),
    "writes another task into the monitor": Variant("{env['task_id']}\\t", "me\\t", TRAINING, {"monitor-form"}),
    "writes a date into the monitor": Variant("{time.time():.6f}\\t", "today\\t", TRAINING, {"monitor-form"}),
    "writes an unknown state": Variant("{state}{more}", "7{more}", TRAINING, {"monitor-form"}),
    "writes percent": Variant("{share:.6f}", "{share * 100:.6f}", TRAINING, {"monitor-bounds"}),
    "writes no number as progress": Variant("{share:.6f}", "half", TRAINING, {"monitor-form"}),
    "goes back": Variant(
        READY,
        f"{READY}    time.sleep(0.3)\n    progress(0.2)\n    time.sleep(0.3)\n",
        TRAINING,
        {"monitor-rises"},
    ),
    "changes an image": Variant(
        MODELS, "    Path(training[0]).write_bytes(b'x')\n" + MODELS, TRAINING, {"input-untouched"}
    ),
    "writes into the input": Variant(
        MODELS,
        "    Path(env['input']['root_dir'], 'c').touch()\n" + MODELS,
        TRAINING,
        {"input-untouched"},
    ),
    "leaves a file in its working folder": Variant(
        MODELS, "    Path('cache.bin').touch()\n" + MODELS, TRAINING, {"output-only"}
    ),
    "changes its own files": Variant(
        MODELS, "    Path(__file__).with_name('state').touch()\n" + MODELS, TRAINING, {"output-only"}
    ),
    "links out of the output": Variant(
        MODELS,
        "    os.symlink('/etc/passwd', Path(env['output']['root_dir'], 'p'))\n" + MODELS,
        TRAINING,
        {"output-only"},
    ),
    "writes no training result": Variant(RESULT_YAML, "pass", TRAINING, {"result-written", "training-accepted"}),
    "writes no YAML": Variant("yaml.safe_dump(result)", "'a: [b'", TRAINING, {"result-written", "training-accepted"}),
    "describes no stage": Variant(
        '"model_stages": {name: stage}', '"model_stages": {}', TRAINING, {"result-written", "training-accepted"}
    ),
    "names a stage with a space": Variant(
        'name = "epoch_1"', 'name = "epoch 1"', TRAINING, {"stage-names", "training-accepted"}
    ),
    "names a stage with a dash": Variant('name = "epoch_1"', 'name = "epoch-1"', TRAINING, {"stage-names"}),
    "names a stage in two ways": Variant('"stage_name": name', '"stage_name": "other"', TRAINING, {"stage-names"}),
    "names a file that is not there": Variant(
        '"files": ["model.json"]', '"files": ["weights.bin"]', TRAINING, {"stage-files", "training-accepted"}
    ),
    "names a file elsewhere": Variant(
        '"files": ["model.json"]', '"files": [__file__]', TRAINING, {"stage-files", "training-accepted"}
    ),
    "names no file": Variant('"files": ["model.json"]', '"files": []', TRAINING, {"stage-files", "training-accepted"}),
    "measures in percent": Variant('"mAP": expected', '"mAP": 98.3', TRAINING, {"stage-metrics", "training-accepted"}),
    "measures in words": Variant('"mAP": expected', '"mAP": "good"', TRAINING, {"stage-metrics", "training-accepted"}),
    "measures nothing": Variant('"mAP": expected, ', "", TRAINING, {"stage-metrics"}),
    "writes objects of a library": Variant(
        "yaml.safe_dump(result)",
        "yaml.dump({**result, 'x': Path('x')})",
        TRAINING,
        {"stage-metrics", "training-accepted"},
    ),
    "names no stage as the best": Variant('"best_stage_name": name, ', "", TRAINING, {"best-named"}),
    "names another stage as the best": Variant(
        '"best_stage_name": name', '"best_stage_name": "epoch_9"', TRAINING, {"best-named", "training-accepted"}
    ),
    "writes no ranking": Variant(RESULT_TSV, "pass", MINING, {"ranking-written", "mining-accepted"}),
    "writes a ranking with spaces": Variant(
        LINE,
        LINE.replace("\\t", " "),
        MINING,
        {"ranking-form", "ranking-paths", "ranking-complete", "mining-accepted"},
    ),
    "ranks by base names": Variant(
        LINE, LINE.replace("{image}", "{Path(image).name}"), MINING, {"ranking-paths", "ranking-complete"}
    ),
    "ranks what nobody asked about": Variant(
        '"".join(lines)',
        '"".join(lines) + "/in/assets/00/other.jpg\\t0\\n"',
        MINING,
        {"ranking-paths", "mining-accepted"},
    ),
    "ranks one twice": Variant(
        '"".join(lines)', '"".join([*lines, lines[-1]])', MINING, {"ranking-once", "mining-accepted"}
    ),
    "leaves one out": Variant('"".join(lines)', '"".join(lines[1:])', MINING, {"ranking-complete"}),
    "scores NaN": Variant(LINE, LINE.replace(SCORE, "nan"), MINING, {"ranking-scores", "mining-accepted"}),
    "scores in words": Variant(LINE, LINE.replace(SCORE, "high"), MINING, {"ranking-scores", "mining-accepted"}),
    "ranks the worst first": Variant(SCORE, "{place}", MINING, {"ranking-sorted"}),
    "embeds too few": Variant(
        RESULT_TSV,
        EMBEDS.format("numpy.ones((3, 4))"),
        MINING,
        {"embeddings"},
    ),
    "embeds whole numbers": Variant(
        RESULT_TSV,
        EMBEDS.format(f"numpy.ones(({COUNT}, 4), int)"),
        MINING,
        {"embeddings"},
    ),
    "embeds NaN": Variant(
        RESULT_TSV,
        EMBEDS.format(f"numpy.full(({COUNT}, 4), numpy.nan)"),
        MINING,
        {"embeddings"},
    ),
    "embeds something else": Variant(
        RESULT_TSV,
        f"Path(env['output']['root_dir'], 'embeddings.npy').write_text('1 2 3')\n    {RESULT_TSV}",
        MINING,
        {"embeddings"},
    ),
    "finds nothing to write": Variant(RESULT_JSON, "pass", INFER, {"found-written", "infer-accepted"}),
    "writes no JSON": Variant('json.dumps({"detection": found})', "'{'", INFER, {"found-written", "infer-accepted"}),
    "finds without detection": Variant(
        'json.dumps({"detection": found})', "json.dumps(found)", INFER, {"found-written", "infer-accepted"}
    ),
    "finds on unknown images": Variant(
        "found = {Path(image).name:", "found = {'x' + Path(image).name:", INFER, {"found-names", "infer-accepted"}
    ),
    "finds on paths": Variant("found = {Path(image).name:", "found = {image:", INFER, {"found-names"}),
    "finds outside of the image": Variant('"x": 1', '"x": 1000', INFER, {"found-boxes", "infer-accepted"}),
    "finds a bit outside of the image": Variant('"w": 30', '"w": 170', INFER, {"found-boxes"}),
    "finds boxes inside out": Variant('"w": 30', '"w": -30', INFER, {"found-boxes", "infer-accepted"}),
    "finds boxes without a side": Variant('"w": 30', '"width": 30', INFER, {"found-boxes", "infer-accepted"}),
    "finds unknown classes": Variant(
        '"class_name": model["classes"][0]', '"class_name": "ufo"', INFER, {"found-classes"}
    ),
    "finds with percent": Variant('float(config["confidence"])}', "80}", INFER, {"found-scores", "infer-accepted"}),
    "scores the classes by name": Variant(
        '"score": float', '"class_scores": {"square": 1}, "score": float', INFER, {"class-scores", "infer-accepted"}
    ),
    "scores too few classes": Variant(
        '"score": float', '"class_scores": [1], "score": float', INFER, {"class-scores", "infer-accepted"}
    ),
    "finds without scores": Variant(
        ', "score": float(config["confidence"])', "", INFER, {"found-scores", "infer-accepted"}
    ),
}
