"""Evaluations from data on disk to a result that says everything needed to repeat it: one file a protocol."""

from .baseline import add_untrained
from .change import run_change
from .evaluation import Evaluation
from .finetune import run_finetune
from .knn import run_knn
from .linear import run_linear
from .retrieval import run_retrieval

__all__ = ["Evaluation", "add_untrained", "run_change", "run_finetune", "run_knn", "run_linear", "run_retrieval"]
