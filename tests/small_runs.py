"""Runs of ``seco pretrain`` that take seconds, and what they leave."""

import json

import commands

SMALL = ["--backbone", "test_resnet", "--batch-size", "4", "--size", "32", "--queue", "10", "--log-every", "2"]
TIMING = ("locations_per_s", "wait_share")


def run(*words, code=0):
    """Run ``seco pretrain WORDS``, which has to end with ``code``."""
    return commands.seco("pretrain", *words, code=code)


def metrics(path):
    """Lines of metrics of a run, without what depends on the machine."""
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMING} for line in lines]
