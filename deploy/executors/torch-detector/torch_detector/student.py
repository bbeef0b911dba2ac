"""The network while it learns: its weights, their moving average, the optimiser, and what each step is worth."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from torch_detector.devices import computing_in, precision
from torch_detector.errors import DivergedError
from torch_detector.loading import Batch
from torch_detector.losses import Losses, losses
from torch_detector.network import Detector, Shape, places_of
from torch_detector.settings import TrainingSettings

LEAST_SHARE = 0.02  # of the learning rate, at the very end


class Student:
    """Learns one batch after the other; `average` is what is kept of it."""

    def __init__(self, shape: Shape, settings: TrainingSettings, *, steps: int, device: torch.device) -> None:
        torch.manual_seed(settings.seed)
        self.model, self.average = Detector(shape).to(device), Detector(shape).to(device)
        self.average.requires_grad_(requires_grad=False)
        self.follow()
        self.step = 0
        self._settings, self._steps, self._device = settings, steps, device
        self.kind = precision(device, mixed=settings.amp)
        self.optimiser = torch.optim.AdamW(_groups(self.model, settings.weight_decay), lr=settings.learning_rate)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self.kind is torch.float16)

    def follow(self) -> None:
        """Make the average what the weights are now."""
        self.average.load_state_dict(self.model.state_dict())

    @property
    def learning_rate(self) -> float:
        """The rate of the next step: rising linearly at first, then falling by half a cosine wave."""
        warmup = self._settings.warmup_epochs * self._steps
        if self.step < warmup:
            return self._settings.learning_rate * (self.step + 1) / warmup
        whole = max(1.0, self._settings.epochs * self._steps - warmup)
        share = (1 + math.cos(math.pi * min(1.0, (self.step - warmup) / whole))) / 2
        return self._settings.learning_rate * (LEAST_SHARE + (1 - LEAST_SHARE) * share)

    def learn(self, batch: Batch) -> Losses:
        """Take one step and return how wrong the network was; raise DivergedError if that is no number."""
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate
        pixels = batch.normalised(self._device)
        places = places_of(self.model.shape, side=pixels.shape[-1], device=self._device)
        with computing_in(self.kind, self._device):
            seen = self.model(pixels)
        wrong = losses(seen, batch.labels(self._device), places)
        if not bool(torch.isfinite(wrong.total)):
            raise DivergedError(f"the loss is {float(wrong.total)} in step {self.step + 1}: lower learning_rate")
        self._descend(wrong.total)
        self._remember()
        self.step += 1
        return wrong

    def _descend(self, wrong: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(wrong).backward()
        self._scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.clip_norm)
        self._scaler.step(self.optimiser)
        self._scaler.update()

    def _remember(self) -> None:
        # Early weights are worth nothing: the average begins short and grows as long as is asked for.
        decay = min(self._settings.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for kept, now in zip(self.average.parameters(), self.model.parameters(), strict=True):
                kept.lerp_(now, 1 - decay)


def _groups(model: Detector, weight_decay: float) -> list[dict[str, object]]:
    """Return the weights in two groups: kernels, which are kept small, and the rest."""
    kernels = [weights for weights in model.parameters() if weights.ndim > 1]
    others = [weights for weights in model.parameters() if weights.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
