"""The commands of ``mir`` and their arguments: those of YMIR's first releases and of its last, side by side."""

from typing import Any, Final, NamedTuple

_STRATEGIES: Final = ("stop", "host", "guest")


class Argument(NamedTuple):
    """The names of an argument, and what argparse is told of it."""

    names: tuple[str, ...]
    settings: dict[str, Any]


def _argument(*names: str, **settings: Any) -> Argument:  # noqa: ANN401 - argparse's own
    return Argument(names, settings)


_SRC = _argument(
    "--src-revs", required=True, metavar="REVS", help="[tr:|va:|te:]branch[@tid], in quotes with ; between"
)
_SRC_OR_HEAD = _argument("--src-revs", default="HEAD", metavar="REV", help="branch[@tid] (HEAD)")
_DST = _argument("--dst-rev", required=True, metavar="REV", help="branch@tid of the result")
_WORK = _argument("-w", "--work-dir", help="a folder for out/monitor.txt, which says how far the work is")
_STRATEGY = _argument(
    "-s", "--strategy", choices=_STRATEGIES, default="stop", help="for an asset of two sources (stop)"
)
_EXCLUDED = _argument("--ex-src-revs", metavar="REVS", help="leave out the assets of these")
_MEDIA = _argument("--media-location", metavar="DIR", help="the folder of images (that of --gen-dir)")
_MODELS = _argument("--model-location", metavar="DIR", help="the folder of model packages")
_CLASSES = (
    _argument("-p", "--cis", metavar="CLASSES", help='keep assets with any of these classes: "person;cat"'),
    _argument("-P", "--ex-cis", metavar="CLASSES", help="keep assets with none of these classes"),
    _argument("-c", "--cks", metavar="KEYWORDS", help='keep assets with any of these keywords: "weather:rain;night"'),
    _argument("-C", "--ex-cks", metavar="KEYWORDS", help="keep assets with none of these keywords"),
    _argument("--filter-anno-src", choices=("any", "gt", "pred"), default="any", help="where classes are looked for"),
)
_PORTION = (
    _argument("--count", type=int, default=0, help="keep so many assets"),
    _argument("--rate", type=float, default=0.0, help="keep this share of the assets, from 0 to 1"),
    _argument("--seed", type=int, default=0, help="the same seed takes the same assets (0)"),
)
_EXECUTING = (
    _argument("--executor", required=True, help="the name of a registered executor, such as tiny-detector"),
    _argument("--executant-name", help="accepted, and not needed: a run is known by its task"),
    _argument("--run-as-root", action="store_true", help="accepted, and not needed: no executor runs as root"),
    _argument("--asset-cache-dir", "--cache", metavar="DIR", help="accepted, and not needed: .mir has a cache"),
    _argument("--task-config-file", required=True, metavar="FILE", help="the executor's configuration, YAML"),
)
_UNKNOWN_TYPES = _argument(
    "--unknown-types-strategy", choices=("stop", "ignore", "add"), help="what is done with classes that are unknown"
)


class Command(NamedTuple):
    """One command."""

    name: str
    help: str
    run: str
    """The module below ``client.mir.commands``, and its function."""
    arguments: tuple[Argument, ...] = ()
    aliases: tuple[str, ...] = ()


COMMANDS: Final = (
    Command(
        "init",
        "make a folder a repository",
        "init:init",
        (_argument("--with-empty-rev", metavar="REV", help="make an empty state too: branch@tid"),),
    ),
    Command(
        "checkout",
        "make another branch the current one",
        "branches:checkout",
        (_argument("commit_id", metavar="REV"), _argument("-b", action="store_true", help="make it first")),
        ("co",),
    ),
    Command(
        "branch",
        "list the branches, or remove one",
        "branches:branch",
        (_argument("-D", "--delete", metavar="BRANCH", help="remove a branch"),),
    ),
    Command("commit", "as in git; nothing is ever left to commit", "branches:commit", (_argument("-m", default=""),)),
    Command("status", "say whether anything is left to commit", "branches:status"),
    Command(
        "log",
        "list what was done on a branch",
        "log:log",
        (
            _SRC_OR_HEAD,
            *(_argument(name, action="store_true") for name in ("--oneline", "--decorate", "--graph", "--dog")),
        ),
    ),
    Command(
        "reset",
        "as in git; nothing is ever left to reset",
        "branches:reset",
        (_argument("--hard", action="store_true"),),
    ),
    Command(
        "show",
        "show what a branch holds",
        "show:show",
        (_SRC_OR_HEAD, _argument("--verbose", action="store_true", help="more of it")),
    ),
    Command(
        "import",
        "import images and annotations",
        "importing:import_dataset",
        (
            _argument("--index-file", metavar="FILE", help="a file with a path of an image on each line"),
            _argument("--annotation-dir", metavar="DIR", help="a folder with one VOC XML file for each image"),
            _argument("--asset-path", metavar="PATH", help="a folder, archive, URL or index file"),
            _argument("--gt-dir", metavar="DIR", help="annotations of the images of an index file"),
            _argument("--pred-dir", metavar="DIR", help="predictions for the images of an index file"),
            _argument("--gen-dir", metavar="DIR", help="the folder in which images are kept"),
            _argument("--dataset-name", help="what the import is called in the log (the tid)"),
            _argument("--anno-type", "--anno-type-fmt", metavar="TYPE", help="det:voc, det:coco, no-annos, …"),
            _argument("--ignore-unknown-types", action="store_true", help="as --unknown-types-strategy ignore"),
            _UNKNOWN_TYPES,
            _argument("--src-revs", default="master", help="accepted; an import starts from nothing"),
            _DST,
            _WORK,
        ),
    ),
    Command(
        "copy",
        "take over a branch of another repository",
        "copying:copy",
        (
            _argument("--src-root", required=True, metavar="DIR", help="the other repository"),
            _argument("--src-user-label-file", metavar="FILE", help="accepted, and not needed: classes go by name"),
            _SRC,
            _DST,
            _argument("--ignore-unknown-types", action="store_true", help="leave out annotations of unknown classes"),
            _UNKNOWN_TYPES,
            _argument("--drop-annotations", action="store_true", help="take the images alone"),
            _WORK,
        ),
        ("cp",),
    ),
    Command(
        "export",
        "write images and annotations into folders",
        "exporting:export",
        (
            _argument("--asset-dir", required=True, metavar="DIR", help="where images are written"),
            _argument("--annotation-dir", metavar="DIR", help="where annotations are written"),
            _argument("--gt-dir", metavar="DIR", help="where annotations are written"),
            _argument("--pred-dir", metavar="DIR", help="where predictions are written"),
            _MEDIA,
            _SRC,
            _argument("--dst-rev", metavar="REV", help="accepted; an export makes nothing new"),
            _argument("--format", "--anno-format", default="none", help="none, ark, voc, coco, ls_json, … (none)"),
            _argument("--asset-format", choices=("raw", "lmdb"), default="raw", help="raw"),
            _argument("-p", "--cis", "--class_names", "--class-names", metavar="CLASSES", help="only these classes"),
            _WORK,
        ),
    ),
    Command("filter", "keep assets by class", "algebra:keep", (_SRC, _DST, *_CLASSES, _WORK)),
    Command("merge", "unite branches", "algebra:merge", (_SRC, _EXCLUDED, _DST, _STRATEGY, _WORK)),
    Command("sampling", "keep some assets by lot", "algebra:sampling", (_SRC, _DST, *_PORTION, _WORK)),
    Command(
        "fuse",
        "merge, filter and sample at once",
        "algebra:fuse",
        (_SRC, _EXCLUDED, _DST, _STRATEGY, *_CLASSES, *_PORTION, _WORK),
    ),
    Command(
        "train",
        "train a model",
        "training:train",
        (
            _SRC,
            _DST,
            _STRATEGY,
            _MEDIA,
            _MODELS,
            _argument("--model-hash", metavar="HASH[@STAGE]", help="start from this model"),
            _argument("--tensorboard-dir", metavar="DIR", help="where what the executor wrote for TensorBoard goes"),
            *_EXECUTING,
            _WORK,
        ),
    ),
    Command(
        "mining",
        "keep the images from which a model would learn most",
        "mining:mining",
        (
            _SRC,
            _DST,
            _STRATEGY,
            _MEDIA,
            _MODELS,
            _argument("--model-hash", required=True, metavar="HASH[@STAGE]", help="the model that looks at them"),
            _argument("--topk", type=int, help="how many images are kept"),
            _argument("--add-prediction", "--add-annotations", action="store_true", help="keep what the model found"),
            _UNKNOWN_TYPES,
            *_EXECUTING,
            _WORK,
        ),
    ),
    Command(
        "infer",
        "have a model look at images that are in no branch",
        "inferring:infer",
        (
            _argument(
                "--index-file", required=True, metavar="FILE", help="a file with a path of an image on each line"
            ),
            _MEDIA,
            _MODELS,
            _argument("--model-hash", required=True, metavar="HASH[@STAGE]", help="the model"),
            *_EXECUTING,
            _argument("-w", "--work-dir", required=True, help="where out/infer-result.json is written"),
        ),
    ),
    Command(
        "evaluate",
        "measure predictions against the ground truth",
        "evaluating:evaluate",
        (
            _SRC,
            _argument("--gt-rev", metavar="REV", help="where the ground truth is (the source itself)"),
            _DST,
            _argument(
                "--conf-thr", type=float, default=0.3, help="the confidence from which a prediction counts (0.3)"
            ),
            _argument("--iou-thrs", default="0.5:1.0:0.05", help="overlaps, from:to:step (0.5:1.0:0.05)"),
            _argument("--need-pr-curve", action="store_true", help="accepted; the curve is at the service"),
            _WORK,
        ),
    ),
    Command(
        "models",
        "import a model package",
        "models:import_model",
        (_argument("--package-path", required=True, metavar="PATH"), _MODELS, _DST, _WORK),
    ),
)
