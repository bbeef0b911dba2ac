"""The conformance kit: an executor is run through all that it can do, and every rule gets its verdict."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from schemas.conformance import Conformance
from schemas.executors import Executor, Purpose
from workers.executors.conformance.behaviour import Behaviour
from workers.executors.conformance.conduct_rules import conduct
from workers.executors.conformance.infer_rules import infer
from workers.executors.conformance.manual_rules import manual
from workers.executors.conformance.mining_rules import mining
from workers.executors.conformance.pictures import pictures
from workers.executors.conformance.plans import Plan
from workers.executors.conformance.rules import CONDUCT, OF_EACH, OF_PURPOSE, Breaches, Verdicts
from workers.executors.conformance.subjects import Subject
from workers.executors.conformance.training_rules import model_of, training
from workers.executors.conformance.trial_input import Asked
from workers.executors.conformance.trials import Trial, tried
from workers.executors.runtime import ExecutorRuntime

RESULTS: Final[Mapping[Purpose, Callable[[Trial], Breaches]]] = {
    Purpose.TRAINING: training,
    Purpose.MINING: mining,
    Purpose.INFER: infer,
}
NO_MODEL: Final = "It had no model to work with: name the files of one with --model."

Tell = Callable[[str], None]


async def verify(subject: Subject, plan: Plan, *, runtime: ExecutorRuntime, root: Path, tell: Tell) -> Conformance:
    """Return the verdicts on an executor, run in folders under ``root``; ``tell`` hears what is going on.

    It is trained on the built-in set, and mines and infers with what came of that. Raises Unavailable where runs
    cannot be had, and Invalid if a folder or image is gone.
    """
    verdicts = Verdicts()
    verdicts.take(manual(subject.files))
    verdicts.take({"start": [] if subject.has_start else ["There is none."]})
    verdicts.take({"registers": [subject.refusal] if subject.refusal else []})
    executor = subject.executor
    if executor is None:
        _skip(verdicts, "It cannot be registered.")
    elif verdicts.is_broken("template-known"):
        _skip(verdicts, "It would not be run as its templates are.")
    else:
        limits = executor.limits.model_copy(update={"seconds": plan.seconds})
        limited = executor.model_copy(update={"limits": limits})
        await _run(limited, plan, verdicts, runtime=runtime, root=root, tell=tell)
    return Conformance(
        runtime=subject.runtime,
        reference=subject.reference,
        digest=None if executor is None else executor.digest,
        object_type=None if executor is None else plan.type_for(executor),
        verdicts=verdicts.all(),
    )


def _skip(verdicts: Verdicts, why: str) -> None:
    for purpose, rules in OF_PURPOSE.items():
        verdicts.skip([*OF_EACH, *rules], why, purpose=purpose)
    verdicts.skip(CONDUCT, why)


async def _run(
    executor: Executor, plan: Plan, verdicts: Verdicts, *, runtime: ExecutorRuntime, root: Path, tell: Tell
) -> None:
    object_type = plan.type_for(executor)
    templates = executor.templates_for(object_type)
    trials: dict[Purpose, Trial] = {}
    model = plan.model
    for purpose, rules in OF_PURPOSE.items():
        every = [*OF_EACH, *rules]
        if purpose not in templates or purpose not in plan.purposes:
            why = "It was not asked for." if purpose in templates else "There is no template for it."
            verdicts.skip(every, why, purpose=purpose)
            continue
        purposes = frozenset({purpose})
        asked = Asked(
            purposes=purposes,
            object_type=object_type,
            config=plan.config_for(templates, purposes),
            model={} if purpose is Purpose.TRAINING else model,
            pictures=pictures(),
            gpus=plan.gpus,
        )
        tell(f"{purpose} …")
        trials[purpose] = trial = await _tried(executor, asked, purpose, verdicts, runtime=runtime, root=root)
        tell(f"{purpose}: {'ended well' if trial.has_ended_well else 'failed'} after {trial.seconds:.1f} s")
        if purpose is Purpose.TRAINING:
            model = model_of(trial) or model
        elif not trial.has_ended_well and not model:
            verdicts.take({"ends": [NO_MODEL]}, purpose=purpose)
        verdicts.skip(every, "It did not end well." if not trial.has_ended_well else "It wrote none.", purpose=purpose)
    await Behaviour(executor, trials, verdicts, runtime=runtime, root=root, tell=tell).look(is_quick=plan.is_quick)


async def _tried(
    executor: Executor, asked: Asked, purpose: Purpose, verdicts: Verdicts, *, runtime: ExecutorRuntime, root: Path
) -> Trial:
    before = await runtime.digest(executor)
    trial = await tried(executor, asked, runtime=runtime, root=root)
    verdicts.take(conduct(trial), purpose=purpose)
    if await runtime.digest(executor) != before:
        verdicts.take({"output-only": ["The executor's own files were changed."]}, purpose=purpose)
    if trial.has_ended_well:
        verdicts.take(RESULTS[purpose](trial), purpose=purpose)
    return trial
