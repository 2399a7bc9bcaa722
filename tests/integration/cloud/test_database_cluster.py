"""The private server of demo and tests: what is committed survives its kill, and it does not outlive whoever started it."""

from __future__ import annotations

import subprocess
import sys

import psutil

from cloud.database import connect
from simulators.database import DatabaseCluster

STARTER = """
import sys, time
from simulators.database import DatabaseCluster
cluster = DatabaseCluster()
cluster.start()
print(cluster.pid, cluster.folder, flush=True)
sys.stdin.read()
"""


def test_what_was_committed_is_there_after_the_server_was_killed() -> None:
    cluster = DatabaseCluster(durable=True)
    cluster.start()
    url = cluster.create_database("kept")
    with connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    cluster.kill()
    cluster.start()
    with connect(url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [{"n": 7}]
    cluster.stop()
    assert not cluster.folder.exists()


def test_the_server_ends_when_its_starter_is_killed() -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    pid, folder = starter.stdout.readline().split()
    server = psutil.Process(int(pid))
    starter.kill()
    starter.communicate()
    gone, _ = psutil.wait_procs([server], timeout=20)
    assert gone
    subprocess.run(["rm", "-r", folder], check=True)
