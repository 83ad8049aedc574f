"""The page served: it follows its run, only reads, and only for this machine."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from commands import started
from waiting import until

from seco.errors import ConfigError
from seco.report.page import Given, watch

PATIENCE_S = 300  # the server has the least priority, and tests beside it none of that


def get(address, **headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=PATIENCE_S) as answer:
        return answer.read().decode()


def test_the_page_follows_the_run(live, run):
    page, address = live
    first = get(address)
    assert "step 6, epoch 2 of 2" in first
    assert "The encoder is at work on this" in first
    until(lambda: page._finished == 1)
    assert get(f"{address}/stamp") not in first
    second = get(address)
    assert "same place first at rank" in second
    assert f'data-stamp="{get(f"{address}/stamp")}"' in second
    with (run / "metrics.jsonl").open("a") as log:
        log.write(json.dumps({"step": 7, "epoch": 2, "loss": 1.0}) + "\n")
    assert get(f"{address}/stamp") not in second
    assert "step 7, epoch 3 of 2" in get(address)


def test_the_encoder_rests_between_checkpoints(live, run):
    page, address = live
    get(address)
    until(lambda: page._finished == 1)
    assert page._rest_until > time.monotonic()
    page._rest_until = time.monotonic() + 3600
    os.utime(run / "checkpoints" / "last.pt")
    get(address)
    assert page._work.done()
    resting = get(f"{address}/stamp")
    page._rest_until = 0.0
    assert get(f"{address}/stamp") != resting
    get(address)
    until(lambda: page._finished == 2)


def test_a_run_that_goes_away_is_said(live, run):
    _, address = live
    get(address)
    run.rename(run.with_name("elsewhere"))
    assert "expected a run, got no such folder" in get(address)


@pytest.mark.parametrize(
    ("path", "headers", "method", "code"),
    [
        ("/etc/passwd", {}, "GET", 404),
        ("/../config.json", {}, "GET", 404),
        ("/", {"Host": "evil.example"}, "GET", 403),
        ("/", {"Host": "evil.example:80"}, "GET", 403),
        ("/", {}, "POST", 501),
        ("/", {}, "DELETE", 501),
    ],
)
def test_nothing_else_is_served(live, path, headers, method, code):
    request = urllib.request.Request(live[1] + path, headers=headers, method=method)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE_S)
    with refused.value as answer:
        assert answer.code == code


def test_names_of_this_machine_are_served(live):
    for host in ("localhost:80", "127.0.0.1"):
        assert get(f"{live[1]}/stamp", Host=host)


def test_a_port_in_use_is_said(live, run):
    port = int(live[1].rsplit(":", 1)[1])
    with pytest.raises(ConfigError, match=f"port: expected a free one, got 127.0.0.1:{port}"):
        watch.serve(Given((run,)), host="127.0.0.1", port=port, started=lambda _: None)


def test_command_serves_on_this_machine_until_ctrl_c(trained):
    words = [sys.executable, "-m", "seco.cli", "watch", trained / "one", "--port", "0"]
    with started(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        assert "step 6, epoch 2 of 2" in get(address)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, "", "Ended.\n")


def test_command_refuses_what_is_no_run(tmp_path):
    words = [sys.executable, "-m", "seco.cli", "watch", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {tmp_path}: expected a run, got a folder without config.json")
