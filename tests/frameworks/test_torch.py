"""Lightning, Fabric, transformers, accelerate, Keras and Ignite, each on a tiny model."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

import gittrack
from gittrack.compat import dvclive
from gittrack.compat.dvclive import Live
from gittrack.experiments.series import parse_series
from tests.support.reading import only_record, records
from tests.support.recorded import run_script
from tests.support.training_data import make_data

if TYPE_CHECKING:
    from collections.abc import Iterator

X, Y = make_data(64)


@pytest.fixture
def installed() -> Iterator[None]:
    """Let ``import dvclive`` find gittrack for a moment."""
    from gittrack.compat.dvclive.install import uninstall

    dvclive.install()
    yield
    uninstall()


def steps_of(folder: Path, name: str) -> list[int]:
    series = only_record(folder).series
    assert series is not None
    return list(parse_series(series)[name].steps)


def loader() -> Any:
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(data, batch_size=16)


def make_lightning_module() -> Any:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self, width: int = 4) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(width, 2)

        def training_step(self, batch: Any, _index: int) -> Any:
            loss = torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch: Any, _index: int) -> None:
            self.log("val_loss", torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Module()


def fit_lightning(logger: Any, **arguments: Any) -> None:
    import lightning

    trainer = lightning.Trainer(
        max_epochs=2,
        logger=logger,
        accelerator="cpu",
        devices=1,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        **arguments,
    )
    trainer.fit(make_lightning_module(), loader(), loader())


def test_lightning(workspace: Path) -> None:
    """Hyperparameters, metrics at Lightning's steps, and the best checkpoint."""
    from gittrack.integrations.lightning import GittrackLogger

    fit_lightning(GittrackLogger(name="pl", log_model=True))
    record = only_record(workspace)
    assert record.meta.status == "completed"
    assert record.params["width"] == 4
    assert steps_of(workspace, "train_loss_step") == list(range(8))
    assert record.metrics["val_loss"].count == 2
    assert record.artifacts[0].name == "best"


def test_lightning_by_itself(workspace: Path) -> None:
    """`autolog` gives a trainer its logger."""
    import lightning  # noqa: F401

    gittrack.autolog("lightning")
    fit_lightning(None, enable_checkpointing=False)
    assert only_record(workspace).metrics["val_loss"].count == 2


def test_lightning_of_dvclive(workspace: Path) -> None:
    """Names with splits as folders, the checkpoint copied, other files of its folder left alone."""
    from gittrack.compat.dvclive.lightning import DVCLiveLogger

    Path("checkpoints").mkdir()
    Path("checkpoints/mine.txt").write_text("x")
    import lightning

    keeper = lightning.pytorch.callbacks.ModelCheckpoint("checkpoints", monitor="val_loss")
    fit_lightning(DVCLiveLogger(log_model=True), callbacks=[keeper])
    files = {path.relative_to("dvclive/plots/metrics").as_posix() for path in Path("dvclive").rglob("*.tsv")}
    assert files == {"train/step/loss.tsv", "train/epoch/loss.tsv", "val/loss.tsv", "epoch.tsv"}
    assert Path("dvclive/params.yaml").read_text() == "width: 4\n"
    assert Path("checkpoints/mine.txt").exists()
    assert {entry.name for entry in only_record(workspace).artifacts} >= {"best"}


@pytest.mark.parametrize("is_dvclive", [False, True])
def test_fabric(workspace: Path, is_dvclive: bool) -> None:
    """Metrics at the steps that are given, the first one included."""
    import lightning

    if is_dvclive:
        from gittrack.compat.dvclive.fabric import DVCLiveLogger as Logger
    else:
        from gittrack.integrations.fabric import GittrackLogger as Logger  # type: ignore[assignment]

    logger = Logger()
    fabric = lightning.Fabric(accelerator="cpu", devices=1, loggers=logger)
    fabric.launch()
    layer = torch.nn.Linear(4, 2)
    model, optimizer = fabric.setup(layer, torch.optim.SGD(layer.parameters(), lr=0.1))
    logger.log_hyperparams({"lr": 0.1})
    for step, (x, y) in enumerate(loader()):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        fabric.backward(loss)
        optimizer.step()
        fabric.log("loss", loss, step=step)
    logger.finalize("success")
    assert steps_of(workspace, "loss") == [0, 1, 2, 3]
    assert only_record(workspace).params["lr"] == 0.1


def train_with_fabric(fabric: Any, error: Exception | None = None) -> None:
    layer = torch.nn.Linear(4, 2)
    model, optimizer = fabric.setup(layer, torch.optim.SGD(layer.parameters(), lr=0.1))
    for step, (x, y) in enumerate(loader()):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        fabric.backward(loss)
        optimizer.step()
        fabric.log("loss", loss, step=step)
        if error is not None:
            raise error


def test_fabric_by_itself(workspace: Path) -> None:
    """`autolog` gives a Fabric its logger beside others; a run ends with what was launched, or before the next."""
    import lightning
    from lightning.fabric.loggers import CSVLogger

    gittrack.autolog("lightning")
    first = lightning.Fabric(accelerator="cpu", devices=1)
    first.launch()
    train_with_fabric(first)
    second = lightning.Fabric(accelerator="cpu", devices=1, loggers=CSVLogger("logs"))
    second.launch(train_with_fabric)
    third = lightning.Fabric(accelerator="cpu", devices=1)
    with pytest.raises(RuntimeError, match="boom"):
        third.launch(train_with_fabric, RuntimeError("boom"))
    lightning.Fabric(accelerator="cpu", devices=1)  # which logs nothing
    gittrack.autolog_off()
    train_with_fabric(lightning.Fabric(accelerator="cpu", devices=1))
    found = sorted((record.metrics["loss"].count, record.meta.status) for record in records(workspace).values())
    assert found == [(1, "failed"), (4, "completed"), (4, "completed")]
    assert len(second.loggers) == 2


def make_trainer(folder: str, **arguments: Any) -> Any:
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    config = BertConfig(
        vocab_size=16, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=2
    )
    rows = [{"input_ids": [number % 16, 3, 5], "labels": number % 2} for number in range(16)]
    settings = TrainingArguments(
        folder,
        num_train_epochs=2,
        per_device_train_batch_size=4,
        logging_steps=1,
        eval_strategy="epoch",
        save_strategy="no",
        use_cpu=True,
        report_to=arguments.pop("report_to", "none"),
        disable_tqdm=True,
    )
    return Trainer(BertForSequenceClassification(config), settings, train_dataset=rows, eval_dataset=rows, **arguments)


def test_transformers(workspace: Path) -> None:
    """The arguments, the model's configuration, and metrics with their split."""
    from gittrack.integrations.transformers import GittrackCallback

    make_trainer("out", callbacks=[GittrackCallback(name="hf")]).train()
    record = only_record(workspace)
    assert record.params["num_train_epochs"] == 2
    assert record.params["model.hidden_size"] == 8
    assert steps_of(workspace, "eval/loss") == [4, 8]
    assert record.metrics["train/loss"].count == 8


def test_transformers_by_itself(workspace: Path) -> None:
    """`autolog` adds the callback."""
    import transformers  # noqa: F401

    gittrack.autolog("transformers")
    make_trainer("out").train()
    assert steps_of(workspace, "eval/loss") == [4, 8]


@pytest.mark.usefixtures("installed")
def test_the_dvclive_callback_of_transformers(workspace: Path) -> None:
    """The library's own callback finds `dvclive` and logs as ever."""
    make_trainer("out", report_to="dvclive").train()
    latest = json.loads(Path("dvclive/metrics.json").read_text())
    assert latest["step"] == 10
    assert {"train", "eval", "loss"} <= set(latest)
    assert "num_train_epochs: 2" in Path("dvclive/params.yaml").read_text()
    assert only_record(workspace).metrics["eval/loss"].count == 2


def test_the_older_callback_of_dvclive(workspace: Path) -> None:
    """It warns that it is old, and logs."""
    from gittrack.compat.dvclive.huggingface import DVCLiveCallback

    make_trainer("out", callbacks=[DVCLiveCallback(save_dvc_exp=False)]).train()
    assert json.loads(Path("dvclive/metrics.json").read_text())["eval"]["loss"] > 0
    assert records(workspace) == {}


ACCELERATE = """
from gittrack.compat import dvclive
dvclive.install()
from accelerate import Accelerator
accelerator = Accelerator(cpu=True, log_with="dvclive")
accelerator.init_trackers("p", config={"lr": 0.5}, init_kwargs={"dvclive": {"dir": "acc"}})
for step in range(3):
    accelerator.log({"loss": 1 / (step + 1)}, step=step)
accelerator.end_training()
"""


def test_the_dvclive_tracker_of_accelerate(workspace: Path) -> None:
    """`log_with="dvclive"` finds it in a process that installs it first."""
    done = run_script(workspace, ACCELERATE)
    assert done.returncode == 0, done.stderr
    assert Path("acc/plots/metrics/loss.tsv").read_text() == f"step\tloss\n0\t1.0\n1\t0.5\n2\t{1 / 3!r}\n"
    assert only_record(workspace).params["lr"] == 0.5


def fit_keras(*callbacks: Any) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0, callbacks=list(callbacks))


def test_keras(workspace: Path) -> None:
    """The optimizer's params, and metrics with their split."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    from gittrack.integrations.keras import GittrackCallback

    fit_keras(GittrackCallback(name="k"))
    record = only_record(workspace)
    assert record.params["optimizer.learning_rate"] == 0.5
    assert steps_of(workspace, "val/accuracy") == [0, 1, 2]
    assert "train/loss" in record.metrics


def test_keras_by_itself(workspace: Path) -> None:
    """`autolog` adds the callback."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras  # noqa: F401

    gittrack.autolog("keras")
    fit_keras()
    assert steps_of(workspace, "train/loss") == [0, 1, 2]


def test_keras_of_dvclive(workspace: Path) -> None:
    """Names and points are those of the original."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    from gittrack.compat.dvclive.keras import DVCLiveCallback

    fit_keras(DVCLiveCallback())
    latest = json.loads(Path("dvclive/metrics.json").read_text())
    assert set(latest["eval"]) == {"loss", "accuracy"}
    assert latest["step"] == 2
    assert only_record(workspace).metrics["train/loss"].count == 3


def make_engines(error: Exception | None = None) -> tuple[Any, Any]:
    from ignite.engine import create_supervised_evaluator, create_supervised_trainer
    from ignite.metrics import Accuracy

    model = torch.nn.Linear(4, 2)
    loss = torch.nn.CrossEntropyLoss()
    trainer = create_supervised_trainer(model, torch.optim.SGD(model.parameters(), lr=0.1), loss)
    evaluator = create_supervised_evaluator(model, {"accuracy": Accuracy()})

    from ignite.engine import Events

    @trainer.on(Events.EPOCH_COMPLETED)
    def _evaluate() -> None:
        evaluator.run(loader())
        if error is not None:
            raise error

    return trainer, evaluator


def test_ignite(workspace: Path) -> None:
    """The output of each iteration, and the metrics of an evaluator by epoch."""
    from gittrack.integrations.ignite import attach

    trainer, evaluator = make_engines()
    attach(trainer, evaluators={"val": evaluator}, params={"lr": 0.1}, name="i")
    trainer.run(loader(), max_epochs=2)
    assert steps_of(workspace, "batch/loss") == list(range(1, 9))
    assert steps_of(workspace, "val/accuracy") == [1, 2]
    assert only_record(workspace).params["lr"] == 0.1


def test_ignite_that_fails(workspace: Path) -> None:
    """The error arrives as it was, and the experiment has failed."""
    from gittrack.integrations.ignite import attach

    trainer, evaluator = make_engines(RuntimeError("boom"))
    attach(trainer, evaluators={"val": evaluator})
    with pytest.raises(RuntimeError, match="boom"):
        trainer.run(loader(), max_epochs=2)
    assert only_record(workspace).meta.status == "failed"


def test_ignite_by_itself(workspace: Path) -> None:
    """`autolog` logs what an engine and those that it runs compute; one that evaluates alone is no training."""
    import ignite  # noqa: F401

    gittrack.autolog("ignite")
    trainer, evaluator = make_engines()
    trainer.run(loader(), max_epochs=2)
    evaluator.run(loader())
    assert steps_of(workspace, "batch/loss") == list(range(1, 9))
    assert steps_of(workspace, "eval/accuracy") == [1, 2]
    assert only_record(workspace).meta.status == "completed"
    with gittrack.Run(name="open"):
        evaluator.run(loader())
    assert set(records(workspace)["open"].metrics) == {"eval/accuracy"}
    gittrack.autolog_off()
    trainer.run(loader(), max_epochs=4)
    assert len(records(workspace)) == 2


def test_ignite_by_itself_that_fails(workspace: Path) -> None:
    """The error arrives as it was, the experiment has failed, and the next training has one of its own."""
    import ignite  # noqa: F401

    gittrack.autolog("ignite")
    with pytest.raises(RuntimeError, match="boom"):
        make_engines(RuntimeError("boom"))[0].run(loader(), max_epochs=2)
    make_engines()[0].run(loader(), max_epochs=1)
    assert sorted(record.meta.status for record in records(workspace).values()) == ["completed", "failed"]


def test_ignite_that_is_attached_is_logged_once(workspace: Path) -> None:
    """`autolog` leaves an engine alone that has a logger, and its evaluators."""
    from gittrack.integrations.ignite import attach

    gittrack.autolog("ignite")
    trainer, evaluator = make_engines()
    attach(trainer, evaluators={"val": evaluator})
    trainer.run(loader(), max_epochs=2)
    assert set(only_record(workspace).metrics) == {"batch/loss", "val/accuracy"}


def test_a_live_takes_torch_scalars() -> None:
    """A tensor of one element is a number."""
    with Live(save_dvc_exp=False) as live:
        live.log_metric("loss", torch.tensor(0.5, requires_grad=True))
    assert json.loads(Path("dvclive/metrics.json").read_text()) == {"loss": 0.5}
