"""The command ``ymir``: which commands there are. What is behind one is loaded when it is called."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple, NoReturn


class Command(NamedTuple):
    """One command: the line about it, and the function ``module:name`` that adds its arguments."""

    help: str
    adds: str


TASK: Final = "tasks:add"
ONE: Final = "one_task:add_one"
PIPE_CLOSED: Final = 128 + signal.SIGPIPE

COMMANDS: Final[Mapping[str, Command | Mapping[str, Command]]] = {
    "serve": Command("run the whole service on this machine", "service:add_serve"),
    "projects": Command("list the projects, or make one", "lists:add_projects"),
    "classes": Command("list the classes of a project, or add some", "lists:add_classes"),
    "datasets": Command("list the datasets of a project", "lists:add_datasets"),
    "models": Command("list the models of a project", "lists:add_models"),
    "model": {
        "show": Command("show a model and its stages", "models:add_model"),
        "recommend": Command("say which stage of a model is used unless another is named", "models:add_model"),
        "describe": Command("give a model a description", "models:add_model"),
        "lineage": Command("show what a model was trained on, and from", "models:add_model"),
        "scalars": Command("show what a training told TensorBoard", "models:add_model"),
        "tensorboard": Command("fetch what a training wrote for TensorBoard, as a tar", "models:add_model"),
        "package": Command("fetch the package of a model", "models:add_model"),
        "file": Command("fetch one file of a model", "models:add_model"),
        "hide": Command("hide a model, which can be shown again", "models:add_model"),
    },
    "learning-curve": Command("show what more labels are expected to add to a line of models", "learning:add_curve"),
    "evaluations": Command("list the evaluations of a project", "evaluations:add_evaluations"),
    "evaluation": {
        "show": Command("show the figures of an evaluation, class by class", "evaluations:add_evaluation"),
        "compare": Command("show how much better evaluations are than the first", "evaluations:add_compare"),
        "label-errors": Command("list labels that are likely wrong", "evaluations:add_evaluation"),
        "plot": Command("fetch a plot of an evaluation", "evaluations:add_evaluation"),
    },
    "import": Command("make a version out of files", TASK),
    "export": Command("write a version as an archive", TASK),
    "copy": Command("take over a version of another project", TASK),
    "merge": Command("join sources, or two lines of work", TASK),
    "filter": Command("keep the assets that meet the conditions, whole", TASK),
    "sample": Command("keep a seeded random sample of the assets", TASK),
    "fuse": Command("merge, then filter, then sample, in one step", TASK),
    "split": Command("deal the assets out to training, validation and test", TASK),
    "exclude": Command("remove the assets of other versions", TASK),
    "relabel": Command("give annotations of a layer other classes", TASK),
    "branch": Command("begin a dataset with the content of a version of another", TASK),
    "revert": Command("make the content of an older version of a dataset its newest version", TASK),
    "replay": Command("do to what is new in a version's source what was done to make the version", TASK),
    "conflicts": Command("list what both sides of a merge changed differently", "conflicts:add_conflicts"),
    "resolve": Command("settle conflicts of a merge, which then goes on", "conflicts:add_resolve"),
    "train": Command("train a model", TASK),
    "mine": Command("keep the images from which a model would learn most", TASK),
    "infer": Command("predict on the assets of a version, or on pictures", "predictions:add_infer"),
    "evaluate": Command("measure predictions against the ground truth of the same version", TASK),
    "label": Command("have the assets of a version labeled", TASK),
    "import-model": Command("take in a model package", TASK),
    "executor": {
        "register": Command("register an image or a folder as an executor", "executors:add_register"),
        "list": Command("list the executors", "executors:add_list"),
        "show": Command("show what an executor can do, and its parameters", "executors:add_show"),
        "remove": Command("forget an executor", "executors:add_remove"),
        "verify": Command("run an executor through the container contract, rule by rule", "verifying:add_verify"),
    },
    "pull-executor": Command("have a worker fetch an image and register it", TASK),
    "migrate": Command("bring over the data and models of a repository of YMIR's own command", "migrate:add_migrate"),
    "log": Command("show a version and all that it was made of", "versions:add_log"),
    "show": Command("show what a version holds", "versions:add_show"),
    "stats": Command("count the objects of a version by class", "versions:add_show"),
    "diff": Command("show what differs between two versions", "versions:add_diff"),
    "tag": Command("name a version, or list the names of a dataset", "versions:add_tag"),
    "search": Command("find versions by keyword, tag, class or name", "finding:add_search"),
    "describe": Command("give a version another message or keywords", "finding:add_describe"),
    "tasks": Command("list the tasks of a project", "lists:add_tasks"),
    "watch": Command("follow a task, or all that happens", "watch:add_watch"),
    "cancel": Command("cancel a task", ONE),
    "retry": Command("ask again for what a failed or cancelled task was asked", ONE),
    "task": {
        "submit": Command("ask for a task of any type", "one_task:add_submit"),
        "show": Command("show a task", ONE),
        "log": Command("show what the executor of a task wrote", "task_log:add_log"),
        "report": Command("show everything that a task found", ONE),
        "archive": Command("fetch the archive that an export wrote", ONE),
        "predictions": Command("list what an inference found on pictures, and draw it", "predictions:add_predictions"),
    },
    "labeling": {
        "list": Command("list the labeling jobs of a project", "labeling:add_list"),
        "show": Command("show a labeling job and how far it is", "labeling:add_one"),
        "items": Command("list the images of a labeling job, and what became of each", "labeling:add_items"),
        "close": Command("make a version of what was answered by now", "labeling:add_one"),
    },
    "keys": {
        "list": Command("list the keys that you may remove", "keys:add_list"),
        "add": Command("make a key, and print its secret, which is told this once", "keys:add_new"),
        "remove": Command("remove a key", "keys:add_remove"),
    },
    "webhooks": {
        "list": Command("list the webhooks that you may change", "webhooks:add_list"),
        "add": Command("have events sent to an address, and print the secret that signs them", "webhooks:add_new"),
        "remove": Command("remove a webhook", "webhooks:add_one"),
        "rotate": Command("give a webhook a new secret, and print it", "webhooks:add_one"),
        "test": Command("send an event to a webhook alone", "webhooks:add_one"),
        "deliveries": Command("list what was sent to a webhook, and what it answered", "webhooks:add_deliveries"),
        "redeliver": Command("send events to a webhook again", "webhooks:add_redeliver"),
    },
    "rules": {
        "list": Command("list the rules", "rules:add_list"),
        "add": Command("make a rule: when this happens, then that task", "rules:add_new"),
        "remove": Command("remove a rule", "rules:add_one"),
        "runs": Command("list what a rule made of events", "rules:add_one"),
        "try": Command("tell what a rule would do with an event", "rules:add_try"),
    },
    "api": Command("make any call of the API", "api:add_api"),
    "admin": {
        "gc": Command("remove for good what was hidden long ago, and blobs that nothing names", "service:add_collect"),
        "backup": Command("copy a data folder, also while it is served", "service:add_back_up"),
    },
    "completion": Command("write what makes a shell complete commands", "completion:add_completion"),
}


class LazyParser(argparse.ArgumentParser):
    """A parser that gets its arguments when it is first asked to parse."""

    def __init__(self, *, fill: Callable[["LazyParser"], None] | None = None, **arguments: Any) -> None:  # noqa: ANN401 - argparse's
        super().__init__(**arguments, allow_abbrev=False)
        self._fill = fill

    def filled(self) -> "LazyParser":
        """Return this parser with all its arguments."""
        if self._fill is not None:
            fill, self._fill = self._fill, None
            fill(self)
        return self

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - argparse's
        """Parse, with all arguments there; what is left over is an error of this command, not of the one above."""
        self.filled()
        given, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return given, rest


class ShowVersion(argparse.Action):
    """Says the version, which is looked for only then, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Say the version."""
        from importlib.metadata import version

        print(f"{parser.prog} {version('ymir')}")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0, or 1 after saying what is wrong and what to do, 2 for its usage."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["complete"]:
        from client.ymir.completion import complete

        return complete(words[1:])
    given = parser().parse_args(words)
    try:
        status: int = given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes at its end: there must be something that takes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return status


def parser() -> LazyParser:
    """Return the parser of all commands."""
    top = LazyParser(prog="ymir", description="Versioned image datasets, and the loop that trains.")
    top.add_argument("--version", action=ShowVersion, nargs=0, help="show the version and exit")
    _add(top, COMMANDS)
    return top


def _add(above: LazyParser, commands: Mapping[str, Command | Mapping[str, Command]]) -> None:
    below = above.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name, command in commands.items():
        if isinstance(command, Command):
            below.add_parser(name, help=command.help, fill=_filler(name, command))
        else:
            _add(below.add_parser(name, help=", ".join(command)), command)


def _filler(name: str, command: Command) -> Callable[[LazyParser], None]:
    module, _, function = command.adds.partition(":")

    def fill(parser: LazyParser) -> None:
        parser.description = command.help
        getattr(import_module(f"client.ymir.{module}"), function)(parser, name)

    return fill


if __name__ == "__main__":
    sys.exit(main())
