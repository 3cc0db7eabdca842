# SPDX-License-Identifier: MIT
"""A domain that means harm to the others: it floods events, store, console and grants, and scribbles over its rings and
page tables (tests/guests/hostile-domu). dom0's shell goes on answering, a neighbour keeps its share of the CPU."""
import os
import re

import pytest

from machine import BUILD
from xl import Xl, xl_machine

PROMPT = "example> "
HOSTILE = os.path.join(BUILD, "tests/guests/hostile-domu")
ATTACKS = ("", "events ports", "console", "store", "grants", "tables calls", "scribble-console scribble-store")

CONFIGS = {"neighbour": 'name = "neighbour"\nkernel = "/boot/example"\nmemory = 8\n',
           "hostile": 'name = "hostile"\nkernel = "/boot/hostile"\nmemory = 16\non_crash = "destroy"\n'}


def work_rate(dom0, seconds):
    """Rounds a second that the neighbour gets done, over some seconds."""
    m = dom0.machine
    m.send("xl console neighbour\r")
    m.send(f"spin {seconds}\r")
    rounds = [int(m.expect(rf"spin: second {i}, (\d+) rounds").group(1)) for i in range(1, seconds + 1)]
    m.expect("spin: done")
    m.expect(PROMPT)
    dom0.leave()
    return sum(rounds) / seconds


@pytest.mark.parametrize("attacks", ATTACKS[:1] + tuple(
    pytest.param(attack, marks=pytest.mark.long) for attack in ATTACKS[1:]), ids=lambda names: names.replace(" ", "-") or "all")
def test_neighbour(machine, tmp_path, attacks):
    """Three domains on one CPU, all that want to run: the neighbour gets its third of it, whatever the hostile one does."""
    with xl_machine(machine, tmp_path, CONFIGS, {"boot/hostile": HOSTILE}, memory="160M",
                    cmdline="dom0_mem=64M guest_loglvl=none") as m:
        dom0 = Xl(m)
        dom0.xl("create neighbour")
        dom0.attach("neighbour", PROMPT)
        dom0.leave()
        # The host does other things too, and not evenly: up to three looks, each between two at the neighbour alone.
        before = work_rate(dom0, 1)
        for _ in range(3):
            dom0.xl(f"create -e hostile 'extra=\"{attacks}\"'")
            # Each attack takes a twentieth of a second: it has made them all.
            dom0.wait_for("through its attacks", lambda all_: all_["hostile"]["cpu_seconds"] > 1)
            beside = work_rate(dom0, 2)
            # The shell is there, and so are store and consoles for the others.
            assert dom0.run("xenstore-write /t 1 /t 2") == []
            assert re.search(r"neighbour +1 ", "\n".join(dom0.xl("list")))
            dom0.xl("create -e neighbour name=third")
            dom0.attach("third", PROMPT)
            dom0.leave()
            assert not dom0.domains()["hostile"]["shutdown"]
            for name in ("third", "hostile"):
                dom0.xl(f"destroy {name}")
            after = work_rate(dom0, 1)
            share = beside / min(before, after)
            print(f"rate beside {attacks or 'all attacks'}: {share:.3f} of that alone")
            before = after
            if share > 0.9 / 3:
                break
        assert share > 0.9 / 3
        dom0.xl("destroy neighbour")
        dom0.poweroff()
