"""Train a small neural network on the handwritten digits that scikit-learn ships.

The only lines that know of gittrack are the import, the ``with`` and the ``run.log…`` calls.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import yaml
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import gittrack


def main() -> None:
    """Train with the params of ``params.yaml`` and log loss and accuracy after every epoch."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    images, digits = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(images / 16, digits, test_size=0.3, random_state=0)
    model = MLPClassifier(
        hidden_layer_sizes=(params["model"]["units"],),
        learning_rate_init=params["train"]["lr"],
        alpha=params["model"]["alpha"],
        solver=params["train"]["solver"],
        random_state=params["seed"],
    )
    with gittrack.Run() as run:
        run.log_param("n_train", len(x_train))
        for _ in range(params["train"]["epochs"]):
            model.partial_fit(x_train, y_train, classes=np.unique(digits))
            run.log_metrics(
                {
                    "train.loss": model.loss_,
                    "test.loss": log_loss(y_test, model.predict_proba(x_test)),
                    "test.accuracy": model.score(x_test, y_test),
                }
            )
            run.next_step()
            time.sleep(params["train"].get("pause_s", 0))


if __name__ == "__main__":
    main()
