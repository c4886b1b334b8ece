"""Train without a word of gittrack and write ``metrics.json``: a commit of it is recorded by the hook."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def main() -> None:
    """Train to the end and write the final metrics."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    images, digits = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(images / 16, digits, test_size=0.3, random_state=0)
    model = MLPClassifier(
        hidden_layer_sizes=(params["model"]["units"],),
        learning_rate_init=params["train"]["lr"],
        alpha=params["model"]["alpha"],
        max_iter=params["train"]["epochs"],
        n_iter_no_change=params["train"]["epochs"],
        random_state=params["seed"],
    )
    model.fit(x_train, y_train)
    metrics = {
        "train": {"loss": model.loss_},
        "test": {"loss": log_loss(y_test, model.predict_proba(x_test)), "accuracy": model.score(x_test, y_test)},
    }
    Path("metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
