"""Evaluations from data on disk to a result that says everything needed to repeat it: one file a protocol."""

from seco.evaluate.run.baseline import add_untrained
from seco.evaluate.run.change import run_change
from seco.evaluate.run.evaluation import Evaluation
from seco.evaluate.run.finetune import run_finetune
from seco.evaluate.run.knn import run_knn
from seco.evaluate.run.linear import run_linear
from seco.evaluate.run.retrieval import run_retrieval

__all__ = ["Evaluation", "add_untrained", "run_change", "run_finetune", "run_knn", "run_linear", "run_retrieval"]
