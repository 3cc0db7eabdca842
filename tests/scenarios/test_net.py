# SPDX-License-Identifier: MIT
"""dom0's network cards: two on one bridge, with the test at the other ends of both cables."""
import json
import os
import random

import pytest

from machine import BUILD
from net import Wire, ethernet, mac
from shell import Shell
from xl import make_root

EAST, WEST = "02:00:00:00:0e:01", "02:00:00:00:0e:02"
EVERYBODY = "ff:ff:ff:ff:ff:ff"
EXPERIMENT = 0x88B5  # an EtherType for experiments (IEEE 802)


def bridges(shell):
    return {bridge["name"]: bridge for bridge in json.loads("\n".join(shell.run("bridges --json")))}


def ports(shell):
    return {port["name"]: port for port in bridges(shell)["xenbr0"]["ports"]}


def two_cards(machine, tmp_path, wires, models, options=("", "")):
    """A machine whose bridge has both cards as uplinks."""
    config = tmp_path / "bridges"
    config.write_text("# a switch\nxenbr0 uplink=net0,net1\n")
    root = make_root(str(tmp_path), files={"etc/xl/bridges": str(config)})
    arguments = [argument for i, wire in enumerate(wires)
                 for argument in wire.qemu(models[i], f"52:54:00:00:00:0{i + 1}", options[i])]
    return machine("dom0_mem=48M", [(os.path.join(BUILD, "dom0"), ""), (root, "")], memory="160M", qemu=arguments)


def packet(number, to, source, size):
    """One that tells its number, and whose bytes follow from it."""
    return ethernet(to, source, EXPERIMENT, number.to_bytes(4, "big") + random.Random(number).randbytes(size - 18))


def exchange(here, there, to, source, first, count, window=32):
    """Send packets of all sizes and compare what arrives at the other end, in order and whole."""
    for start in range(first, first + count, window):
        sent = [packet(number, to, source, random.Random(-number).randint(60, 1514))
                for number in range(start, min(start + window, first + count))]
        for data in sent:
            here.send(data)
        for data in sent:
            assert there.receive() == data


@pytest.mark.parametrize("models", [("virtio-net-pci", "e1000e")], ids="-".join)
def test_cards(machine, tmp_path, models):
    with Wire("net0") as east, Wire("net1") as west, \
            two_cards(machine, tmp_path, (east, west), models) as m:
        shell = Shell(m)
        # Everybody's first packet is flooded, and tells the bridge who is where.
        exchange(east, west, EVERYBODY, EAST, 0, 1)
        exchange(west, east, EAST, WEST, 1, 1)
        exchange(east, west, WEST, EAST, 2, 1000)
        exchange(west, east, EAST, WEST, 2000, 1000)
        seen = ports(shell)
        for name in ("net0", "net1"):
            assert seen[name]["received"] == dict(seen[name]["received"], packets=1001, dropped=0, errors=0)
            assert seen[name]["sent"] == dict(seen[name]["sent"], packets=1001, dropped=0, errors=0)
            assert not any(seen[name]["dropped"].values()), seen
        known = {entry["mac"]: entry["port"] for entry in bridges(shell)["xenbr0"]["addresses"]}
        assert known == {EAST: "net0", WEST: "net1"}
        # A packet to somebody on the same side goes nowhere, and tags are kept.
        east.send(packet(5000, EAST, "02:00:00:00:0e:03", 100))
        tagged = mac(WEST) + mac(EAST) + b"\x81\x00\x20\x07" + (0x88B5).to_bytes(2, "big") + bytes(60)
        east.send(tagged)
        assert west.receive() == tagged
        shell.poweroff()
