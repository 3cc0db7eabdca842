# SPDX-License-Identifier: MIT
"""UEFI with its variables in flash memory, which the firmware's code reads and writes as a device."""
import os
import shutil

from machine import BUILD

CODE, VARIABLES = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"


def test_efi_flash(machine, tmp_path):
    """The test guest's questions; the variable that it leaves is in the flash memory afterwards."""
    flash = tmp_path / "variables"
    shutil.copyfile(VARIABLES, flash)
    drives = ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={CODE}",
              "-drive", f"if=pflash,format=raw,unit=1,file={flash}"]
    name = "CerneTest".encode("utf-16-le")
    assert name not in flash.read_bytes()
    with machine("noreboot", [(os.path.join(BUILD, "tests/guests/efi"), "keep")], qemu=drives, cpus=2,
                 cerne=os.path.join(BUILD, "debug/cerne")) as m:
        said = m.expect(r"GUEST efi: (\d+) passed, (\d+) failed, (\d+) skipped")
        assert int(said.group(1)) > 5 and said.group(2, 3) == ("0", "0"), m.output()
        m.wait_off()
    assert name in flash.read_bytes()
