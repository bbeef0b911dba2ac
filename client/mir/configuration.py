"""The configuration files of tasks: flat as an executor reads them, or below ``executor_config``."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from client.mir.codes import Code, MirError


def read_configuration(path: str) -> dict[str, Any]:
    """Return the executor's configuration in a file of either form; raise MirError naming file and line."""
    import yaml  # noqa: PLC0415 - heavy, and needed here alone

    file = Path(path).expanduser()
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeError) as error:
        step = "Copy a template of the executor, and change what is to be different; `{}` changes nothing."
        raise MirError(Code.INVALID_FILE, f"{file} cannot be read: {error}", step=step) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        raise MirError(Code.INVALID_ARGS, f"{file}{where}: it is no YAML", step="Correct it.") from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise MirError(Code.INVALID_ARGS, f"{file}: it holds no names with values", step="Write name: value.")
    configuration = content.get("executor_config", {} if "task_context" in content else content)
    if not isinstance(configuration, dict):
        raise MirError(Code.INVALID_ARGS, f"{file}: executor_config holds no names with values", step="Correct it.")
    return {str(name): value for name, value in configuration.items()}


def class_names_of(configuration: Mapping[str, Any], *, path: str) -> list[str]:
    """Return the classes that a model is to learn; raise MirError if there are none, or one is there twice."""
    given = configuration.get("class_names")
    names = given.split(";") if isinstance(given, str) else given
    if not isinstance(names, list) or not names:
        step = "Write class_names: [person, cat]: the classes that the model is to learn."
        raise MirError(Code.INVALID_ARGS, f"{path}: no class_names in config file", step=step)
    cleaned = [str(name).strip().lower() for name in names]
    twice = [name for name, times in Counter(cleaned).items() if times > 1]
    if twice:
        message = f"{path}: dumplicate class names in class_names: {', '.join(twice)}".replace(
            "dumplicate", "duplicate"
        )
        raise MirError(Code.INVALID_ARGS, message, step="Name each class once.")
    return cleaned
