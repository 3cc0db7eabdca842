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

# Time is counted instructions: shares do not depend on what else the host does.
COUNTED = ("-icount", "shift=3,sleep=off")


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
    with xl_machine(machine, tmp_path, CONFIGS, {"boot/hostile": HOSTILE}, memory="160M", qemu=COUNTED) as m:
        dom0 = Xl(m)
        dom0.xl("create neighbour")
        dom0.attach("neighbour", PROMPT)
        dom0.leave()
        alone = work_rate(dom0, 2)
        dom0.xl(f"create hostile 'extra=\"{attacks}\"'")
        while not any("hostile: round 1" in line for line in dom0.run("console-log hostile")):
            pass
        beside = work_rate(dom0, 4)
        print(f"rate beside {attacks or 'all attacks'}: {beside / alone:.3f} of that alone")
        assert beside > 0.9 * alone / 3
        # The shell is there, and so are store and consoles for the others.
        assert dom0.run("xenstore-write /t 1 /t 2") == []
        assert re.search(r"neighbour +1 ", "\n".join(dom0.xl("list")))
        dom0.xl("create neighbour name=third")
        dom0.attach("third", PROMPT)
        dom0.leave()
        for name in ("third", "hostile", "neighbour"):
            dom0.xl(f"destroy {name}", ok=False)
        dom0.wait_for("gone", lambda all_: list(all_) == ["Domain-0"])
        dom0.poweroff()
