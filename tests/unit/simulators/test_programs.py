from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest

from simulators.agent_keeper import FAILPOINT, AgentKeeper
from simulators.programs import Program, ProgramEnded, bound_to_us, run_once

TALKER = """
import json, sys
print(json.dumps({"event": "ready", "places": 3}), flush=True)
for line in sys.stdin:
    print(json.dumps({"event": "heard", **json.loads(line)}), flush=True)
"""
SLEEPER = "import time; time.sleep(60)"
AGENT = """
import os, pathlib, signal, sys, time
if os.environ["LOTGATE_FAILPOINT"]:
    os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path(sys.argv[1]).write_text("8000")
time.sleep(60)
"""
BROKEN = "import sys; sys.exit('no such barrier')"


def program(tmp_path: Path, code: str, *arguments: str, talks: bool = False) -> Program:
    return Program(
        name="it",
        command=[sys.executable, "-c", code, *arguments],
        environment={},
        log=tmp_path / "log",
        talks=talks,
    )


async def test_what_a_program_says_is_heard_and_orders_reach_it(tmp_path: Path) -> None:
    talker = program(tmp_path, TALKER, talks=True)
    await talker.start()
    assert await talker.wait_for("ready", 30) == {"event": "ready", "places": 3}
    talker.tell(do="hold")
    assert (await talker.wait_for("heard", 30))["do"] == "hold"
    await talker.stop()
    assert talker.pid is None


async def test_a_program_that_ends_is_named_with_its_status_and_its_last_words(tmp_path: Path) -> None:
    broken = program(tmp_path, BROKEN)
    await broken.start()
    with pytest.raises(ProgramEnded, match=r"it ended with 1; .*no such barrier"):
        await broken.fail_when_it_ends()
    with pytest.raises(ProgramEnded, match="port was not written"):
        await broken.wait_for_file(tmp_path / "port", 30)


async def test_a_program_that_ends_before_it_is_ready_is_not_waited_for(tmp_path: Path) -> None:
    broken = program(tmp_path, BROKEN, talks=True)
    await broken.start()
    with pytest.raises(ProgramEnded, match="no such barrier"):
        await broken.wait_for("ready", 600)
    await broken.stop()


async def test_silence_has_an_end(tmp_path: Path) -> None:
    sleeper = program(tmp_path, SLEEPER, talks=True)
    await sleeper.start()
    with pytest.raises(ProgramEnded, match=r"it did not say 'ready' in 0\.05 s; it still runs"):
        await sleeper.wait_for("ready", 0.05)
    await sleeper.stop()
    assert sleeper.status == -signal.SIGTERM


async def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ProgramEnded, match=r"enrol exited 1: no such barrier"):
        await run_once("enrol", [sys.executable, "-c", BROKEN], {}, tmp_path / "enrol.log")
    said = await run_once("say", [sys.executable, "-c", "print('so')"], {}, tmp_path / "say.log")
    assert said == "so"


async def test_a_command_does_not_outlive_a_demo_that_is_cancelled(tmp_path: Path) -> None:
    others = {*psutil.Process().children()}  # servers that this session's fixtures keep
    running = asyncio.create_task(run_once("sleep", [sys.executable, "-c", SLEEPER], {}, tmp_path / "log"))
    children: set[psutil.Process] = set()
    while not children:
        await asyncio.sleep(0.01)
        children = {*psutil.Process().children()} - others
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not any(each.is_running() for each in children)


async def test_a_program_is_gone_soon_after_whoever_started_it_was_killed(tmp_path: Path) -> None:
    started = [*bound_to_us([sys.executable, "-c", f"print('runs', flush=True); {SLEEPER}"])]
    code = (
        f"import subprocess, time; child = subprocess.Popen({started!r}, stdout=subprocess.PIPE); "
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(child.wait, 30)


# The agent's keeper


def keeper_of(tmp_path: Path, code: str, *failpoints: str) -> tuple[AgentKeeper, list[bool]]:
    told: list[bool] = []
    port_file = tmp_path / "api.port"
    keeper = AgentKeeper(
        agent=program(tmp_path, code, str(port_file)),
        port_file=port_file,
        failpoints=failpoints,
        start_s=30,
        told=lambda back_s: told.append(back_s is not None),
    )
    return keeper, told


async def test_an_agent_that_is_killed_is_started_again(tmp_path: Path) -> None:
    keeper, told = keeper_of(tmp_path, AGENT)
    keeping = asyncio.create_task(keeper.run())
    await keeper.serves()
    first = keeper.agent.pid
    await keeper.kill()
    assert keeper.agent.pid not in {first, None}
    assert (keeper.kills, told) == (1, [True, False, True])
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await keeper.agent.stop()


async def test_failpoints_are_armed_one_life_after_the_other(tmp_path: Path) -> None:
    assert FAILPOINT in AGENT
    keeper, told = keeper_of(tmp_path, AGENT, "edge.ledger.before_commit:1", "edge.ledger.before_commit:1")
    keeping = asyncio.create_task(keeper.run())
    await keeper.serves()
    assert (keeper.kills, told) == (2, [False, False, True])
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await keeper.agent.stop()


async def test_an_agent_that_ends_otherwise_fails_the_demo(tmp_path: Path) -> None:
    keeper, _ = keeper_of(tmp_path, BROKEN)
    with pytest.raises(ProgramEnded, match="no such barrier"):
        await keeper.run()
    keeper, _ = keeper_of(tmp_path, AGENT)
    keeping = asyncio.create_task(keeper.run())
    await keeper.serves()
    await keeper.agent.stop()
    with pytest.raises(ProgramEnded, match="it ended with -15"):
        await keeping
