"""How an executor behaves beyond one run for each purpose: together, again, otherwise told, and stopped."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from schemas.executors import Executor, Protocol, Purpose
from workers.executors.conformance.conduct_rules import conduct
from workers.executors.conformance.infer_rules import infer
from workers.executors.conformance.mining_rules import mining
from workers.executors.conformance.rules import CONDUCT, Verdicts
from workers.executors.conformance.training_rules import model_of, training
from workers.executors.conformance.trial_input import Asked
from workers.executors.conformance.trials import Trial, tried
from workers.executors.layout import INFER_RESULT, MINING_RESULT, MONITOR
from workers.executors.monitor import read_monitor
from workers.executors.runtime import Cause, ExecutorRuntime

NO_GPU_FOUND: Final = 300102
AGAIN_SECONDS: Final = 60.0
"""What took longer is not run again to see whether it gives the same."""
STOP_SECONDS: Final = 5.0
SIGN_SECONDS: Final = 10.0
"""How long a run that is to be stopped has for its first sign of life."""
OTHERS: Final = (Protocol.V0_0, Protocol.V1_0)
TOGETHER: Final = frozenset({Purpose.MINING, Purpose.INFER})


class Behaviour:
    """The runs beyond the first ones, whose trials are given."""

    def __init__(
        self,
        executor: Executor,
        trials: Mapping[Purpose, Trial],
        verdicts: Verdicts,
        *,
        runtime: ExecutorRuntime,
        root: Path,
        tell: Callable[[str], None],
    ) -> None:
        self._executor = executor
        self._trials = {purpose: trial for purpose, trial in trials.items() if trial.has_ended_well}
        self._failed = [trial for trial in trials.values() if not trial.has_ended_well]
        self._verdicts = verdicts
        self._runtime = runtime
        self._root = root
        self._tell = tell

    async def look(self, *, is_quick: bool) -> None:
        """Give the verdicts; a quick look runs nothing."""
        self._without_gpu()
        if self._trials and not is_quick:
            await self._together()
            await self._protocols()
            await self._repeats()
            await self._stops()
        self._verdicts.skip(CONDUCT, "It was not asked for." if self._trials else "No run has ended well.")

    def _without_gpu(self) -> None:
        trials = [*self._trials.values(), *self._failed]
        if any(trial.asked.gpus for trial in trials):
            self._verdicts.skip(["without-gpu"], "It was given GPUs.")
            return
        records = [read_monitor(trial.folder.made / MONITOR) for trial in self._failed]
        if any(record is not None and record.code == NO_GPU_FOUND for record in records):
            self._verdicts.take({"without-gpu": [f"It said {NO_GPU_FOUND}: no GPU was found."]})
        elif trials and not self._failed:
            self._verdicts.take({"without-gpu": []})

    async def _together(self) -> None:
        if not self._trials.keys() >= TOGETHER:
            self._verdicts.skip(["together"], "It does not do both.")
            return
        asked = self._trials[Purpose.MINING].asked
        config = {**self._trials[Purpose.INFER].asked.config, **asked.config}
        trial = await self._again("mining and inference together", asked._replace(purposes=TOGETHER, config=config))
        self._verdicts.take({"together": _accepted(trial)})

    async def _protocols(self) -> None:
        purpose = next(one for one in (Purpose.INFER, Purpose.MINING, Purpose.TRAINING) if one in self._trials)
        for protocol in OTHERS:
            asked = self._trials[purpose].asked._replace(protocol=protocol)
            trial = await self._again(f"{purpose}, told of protocol {protocol}", asked)
            self._verdicts.take({"protocols": [f"{protocol}: {fault}" for fault in _accepted(trial)]})

    async def _repeats(self) -> None:
        for purpose, trial in self._trials.items():
            if trial.seconds > AGAIN_SECONDS:
                self._verdicts.tell("repeats", f"{purpose}: not tried, as it takes {trial.seconds:.0f} s.")
                continue
            again = await self._again(f"{purpose} again", trial.asked)
            same = again.has_ended_well and _result(again, purpose) == _result(trial, purpose)
            self._verdicts.tell("repeats", f"{purpose}: {'the same' if same else 'another'} result.")

    async def _stops(self) -> None:
        purpose, first = next(iter(self._trials.items()))
        self._tell(f"{purpose}, stopped …")
        trial = await tried(
            self._executor, first.asked, runtime=self._runtime, root=self._root, stop_after=SIGN_SECONDS
        )
        if trial.ended.cause is not Cause.STOPPED:
            self._verdicts.skip(["stops"], "It had ended before it could be asked to.")
        elif trial.seconds < STOP_SECONDS:
            self._verdicts.tell("stops", f"{purpose}: it ended after {trial.seconds:.1f} s.")
        else:
            self._verdicts.tell("stops", f"{purpose}: it did not end by itself and was killed.")

    async def _again(self, told: str, asked: Asked) -> Trial:
        self._tell(f"{told} …")
        return await tried(self._executor, asked, runtime=self._runtime, root=self._root)


def _accepted(trial: Trial) -> list[str]:
    """Return why the system would not take the results of a trial."""
    if not trial.has_ended_well:
        return conduct(trial)["ends"]
    rules = {Purpose.TRAINING: training, Purpose.MINING: mining, Purpose.INFER: infer}
    return [fault for purpose in sorted(trial.asked.purposes) for fault in rules[purpose](trial)[f"{purpose}-accepted"]]


def _result(trial: Trial, purpose: Purpose) -> Any:  # noqa: ANN401 - to be compared only
    """Return what came of a trial, without what differs from run to run: paths and times."""
    made = trial.folder.made
    if purpose is Purpose.TRAINING:
        return {name: path.read_bytes() for name, path in model_of(trial).items()}
    if purpose is Purpose.MINING:
        return (made / MINING_RESULT).read_text().replace(trial.layout.root_in, "")
    return orjson.loads((made / INFER_RESULT).read_bytes())
