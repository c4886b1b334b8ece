"""Runs that other trackers recorded, read from their own files without their packages, and written as experiments.

`mlflow_files`, `mlflow_database`, `tensorboard`, `wandb` and `dvc` each yield a `foreign.ForeignRun` per run; `write`
makes experiments of them. What is read may come from anywhere: no link is followed, nothing in it is executed.
"""
