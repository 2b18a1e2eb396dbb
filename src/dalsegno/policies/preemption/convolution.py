"""A dilated one-dimensional convolution over a window of signals, as a predictor in scikit-learn's form.

The kind of network that Watson and Correll watched force-torque signals with; its sizes are ours: four blocks of
Conv1d(kernel 3; dilations 1, 2, 4, 8; 32 channels; ReLU), the mean over time, two logits; Adam, class-weighted cross
entropy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError

Floats = npt.NDArray[np.float64]
DILATIONS = (1, 2, 4, 8)


class ConvolutionPredictor:
    """P(success) from the last ``window`` samples of ``channels`` signals, needs PyTorch.

    A row of ``X`` is a window, flattened as (window, channels), oldest sample first. Equal ``seed``, equal network (on
    one machine with one number of threads).
    """

    def __init__(
        self,
        channels: int = 6,
        *,
        width: int = 32,
        epochs: int = 20,
        batch: int = 128,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        self.channels, self.width = channels, width
        self.epochs, self.batch, self.learning_rate, self.seed = epochs, batch, learning_rate, seed

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> ConvolutionPredictor:
        """``X`` (n, window * channels), ``y`` (n,) success; classes weigh the same in the loss, whatever their sizes."""
        torch = _torch()
        signals, success = self._signals(X), np.asarray(y, np.bool_)
        weights = np.ones(len(success)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        self.mean_ = signals.mean(axis=(0, 2))
        spread = signals.std(axis=(0, 2))
        self.scale_ = np.where(spread > 0, spread, 1.0)
        self.classes_ = np.array([False, True])
        # The network learns on evened classes; the share of successes is put back when it is asked (prior_).
        mass = np.array([weights[~success].sum(), weights[success].sum()])
        self.prior_ = mass / mass.sum()
        even = weights * (0.5 / self.prior_)[success.astype(int)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network_ = self._build(torch)
            self._train(torch, signals, success, even / even.mean())
        return self

    def _train(self, torch: Any, signals: Floats, success: npt.NDArray[np.bool_], weights: Floats) -> None:
        inputs = torch.as_tensor(self._standard(signals), dtype=torch.float32)
        labels = torch.as_tensor(success.astype(np.int64))
        importance = torch.as_tensor(weights, dtype=torch.float32)
        optimizer = torch.optim.Adam(self.network_.parameters(), lr=self.learning_rate)
        self.network_.train()
        for _ in range(self.epochs):
            order = torch.randperm(len(labels))
            for rows in order.split(self.batch):
                loss = torch.nn.functional.cross_entropy(self.network_(inputs[rows]), labels[rows], reduction="none")
                optimizer.zero_grad()
                (loss * importance[rows]).mean().backward()
                optimizer.step()

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """(n, 2): P(failure) and P(success)."""
        torch = _torch()
        inputs = torch.as_tensor(self._standard(self._signals(X)), dtype=torch.float32)
        self.network_.eval()
        with torch.no_grad():
            logits = torch.cat([self.network_(part) for part in inputs.split(1024)]).double().numpy()
        logits = logits + np.log(self.prior_)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        answer: Floats = odds / odds.sum(axis=1, keepdims=True)
        return answer

    def _build(self, torch: Any) -> Any:
        layers: list[Any] = []
        inputs = self.channels
        for dilation in DILATIONS:
            layers += [torch.nn.Conv1d(inputs, self.width, 3, padding=dilation, dilation=dilation), torch.nn.ReLU()]
            inputs = self.width
        pool = [torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()]
        return torch.nn.Sequential(*layers, *pool, torch.nn.Linear(self.width, 2))

    def _signals(self, X: npt.ArrayLike) -> Floats:
        """(n, channels, window)."""
        X = np.asarray(X, np.float64)
        if X.ndim != 2 or X.shape[1] == 0 or X.shape[1] % self.channels:
            raise UsageError(
                f"ConvolutionPredictor(channels={self.channels}): X has shape {X.shape}, expected (n, window * channels)"
            )
        return X.reshape(len(X), -1, self.channels).transpose(0, 2, 1)

    def _standard(self, signals: Floats) -> Floats:
        standard: Floats = (signals - self.mean_[:, None]) / self.scale_[:, None]
        return np.asarray(np.nan_to_num(standard, nan=0.0, posinf=10.0, neginf=-10.0), np.float64)

    def state_dict(self) -> dict[str, Any]:
        if not hasattr(self, "network_"):
            return {}
        network = {name: tensor.numpy().copy() for name, tensor in self.network_.state_dict().items()}
        return {"mean": self.mean_.copy(), "scale": self.scale_.copy(), "prior": self.prior_.copy(), "network": network}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if not state:
            return
        torch = _torch()
        self.mean_, self.scale_, self.prior_ = (np.array(state[name]) for name in ("mean", "scale", "prior"))
        self.classes_ = np.array([False, True])
        self.network_ = self._build(torch)
        self.network_.load_state_dict({name: torch.as_tensor(array) for name, array in state["network"].items()})

    def __repr__(self) -> str:
        return f"ConvolutionPredictor(channels={self.channels}, width={self.width}, epochs={self.epochs})"


def _torch() -> Any:
    try:
        return import_module("torch")
    except ImportError:
        raise UsageError("ConvolutionPredictor needs PyTorch: pip install 'dalsegno[torch]'") from None
