# SPDX-License-Identifier: MIT
"""Kernels that make no domain: one sentence says why, and all that the domain had is given back."""
import linux
from xl import Xl, xl_machine

CASES = {
    "text": (64, "the kernel cannot be used: it is not an ELF file"),
    "empty": (64, "the kernel cannot be used: it is empty"),
    "cut": (256, "the kernel cannot be used: its bzImage is truncated or damaged: the payload lies outside the file"),
    "damaged": (256, "the kernel cannot be used: its LZ4 data are truncated or damaged"),
    "small": (40, "the kernel unpacks to 51995 KiB, for which the domain's 40960 KiB are too few"),
    "tight": (80, "the domain has too little memory: kernel and ramdisk need"),
}


def test_bad_kernels(machine, tmp_path):
    with open(linux.kernel("linux-image-cloud-amd64"), "rb") as f:
        kernel = f.read()
    damaged = bytearray(kernel)
    damaged[len(kernel) // 2:len(kernel) // 2 + 4096] = bytes(4096)
    contents = {"text": b"no kernel at all\n" * 100, "empty": b"", "cut": kernel[:len(kernel) // 2],
                "damaged": damaged, "small": kernel, "tight": kernel}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    configs = {name: f'name = "{name}"\nkernel = "/boot/{name}"\nmemory = {memory}\n'
               for name, (memory, _) in CASES.items()}
    files = {f"boot/{name}": str(tmp_path / name) for name in CASES}
    with xl_machine(machine, tmp_path, configs, files, cmdline="dom0_mem=96M", memory="512M") as m:
        xl = Xl(m)
        xl.xl("create -q example")
        xl.xl("destroy example")
        before = xl.free_kib()
        for name, (_, wanted) in CASES.items():
            said = " ".join(xl.xl(f"create -q {name}", ok=False))
            assert wanted in said, f"{name}: {said}"
            assert list(xl.domains()) == ["Domain-0"]
        assert xl.free_kib() == before
        xl.poweroff()
