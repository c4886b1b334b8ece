"""The files of DVCLive, written as it writes them: params, metrics, plots, images, a report and ``dvc.yaml``."""
