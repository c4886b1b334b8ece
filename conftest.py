"""Modules that derive from classes of frameworks are collected where the framework is installed."""

from __future__ import annotations

from importlib.util import find_spec

_NEEDS = {
    "gittrack/compat/dvclive/fabric.py": "lightning",
    "gittrack/compat/dvclive/fastai.py": "fastai",
    "gittrack/compat/dvclive/huggingface.py": "transformers",
    "gittrack/compat/dvclive/keras.py": "keras",
    "gittrack/compat/dvclive/lightning.py": "lightning",
    "gittrack/compat/dvclive/xgb.py": "xgboost",
    "gittrack/integrations/fabric.py": "lightning",
    "gittrack/integrations/fastai.py": "fastai",
    "gittrack/integrations/ignite.py": "ignite",
    "gittrack/integrations/keras.py": "keras",
    "gittrack/integrations/lightning.py": "lightning",
    "gittrack/integrations/transformers.py": "transformers",
    "gittrack/integrations/xgboost.py": "xgboost",
}

collect_ignore = [path for path, framework in _NEEDS.items() if find_spec(framework) is None]
if find_spec("xgboost") is None:  # only `make test-frameworks` has them
    collect_ignore.append("tests/frameworks")
