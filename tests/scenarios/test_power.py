# SPDX-License-Identifier: MIT
"""Ends of the machine: dom0's poweroff and reboot are real, on every chipset and firmware."""
import os

import pytest

from machine import BUILD
from shell import Shell
from xl import Xl, xl_machine


@pytest.mark.parametrize("uefi,chipset,cpus", [(False, "pc", 2), (False, "q35", 4), (True, "q35", 2)],
                         ids=["bios-pc", "bios-q35", "uefi-q35"])
def test_reboot(machine, uefi, chipset, cpus):
    """reboot brings GRUB, the hypervisor and dom0 up again; no CPU faults on the way down."""
    with machine(uefi=uefi, chipset=chipset, cpus=cpus) as m:
        Shell(m)
        m.send("reboot\r")
        m.expect(r"\(CERNE\)")
        shell = Shell(m)
        m.check_no_triple_fault()
        shell.poweroff()


def test_noreboot(machine):
    """With noreboot the hypervisor stops where it would restart."""
    with machine("noreboot", qemu=["-no-reboot"], cpus=2) as m:
        Shell(m)
        m.send("reboot\r")
        m.expect(r"Stopped \(noreboot\)")  # idle CPUs are halted before that, too
        m.wait_halted()
        m.check_audit()


def test_all_vcpus_down(machine):
    """A domain whose last vCPU goes down has powered off."""
    with machine(modules=[(os.path.join(BUILD, "tests/guests/vcpu"), "all-down")], cpus=2, memory="128M") as m:
        m.expect(r"\(CERNE\) Domain 0 has powered off")
        m.wait_off()
        assert "still up" not in m.output()


@pytest.mark.parametrize("uefi,chipset", [(False, "pc"), (True, "q35")], ids=["bios-pc", "uefi-q35"])
def test_power_button(machine, uefi, chipset):
    with machine("dom0_mem=32M", uefi=uefi, chipset=chipset) as m:
        Shell(m)
        m.qmp("system_powerdown")
        m.expect("The power button: the machine is switched off.")
        m.wait_off()


def test_power_button_with_guests(machine, tmp_path):
    """A guest is asked; one that does nothing about it is waited for until the button is pressed again."""
    with xl_machine(machine, tmp_path) as m:
        dom0 = Xl(m)
        dom0.xl("create -q -p example")
        m.qmp("system_powerdown")
        m.expect("The power button: 1 guest is asked to shut down")
        assert dom0.run("xenstore-read /local/domain/1/control/shutdown") == ["poweroff"]
        m.qmp("system_powerdown")
        m.expect("Guests that still run are stopped as they are.")
        m.wait_off()
