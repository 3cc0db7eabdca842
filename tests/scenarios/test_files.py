# SPDX-License-Identifier: MIT
"""The root of dom0: an archive that it is given as its module."""
import os
import subprocess

import pytest

from machine import BUILD, TOP
from shell import Shell


def boot(machine, root):
    return machine("dom0_mem=16M", [(os.path.join(BUILD, "dom0"), ""), (str(root), "")], memory="128M")


def make_tree(folder):
    (folder / "etc/xl").mkdir(parents=True)
    (folder / "etc/xl/one.cfg").write_text("name = 'one'\nmemory = 8\n")
    (folder / "boot").mkdir()
    (folder / "boot/kernel").write_bytes(bytes(5000))
    (folder / "note").write_text("no end of line")
    return folder


def archive(form, tree, file):
    if form == "tar":
        subprocess.run(["tar", "--format=ustar", "-C", tree, "-cf", file, "."], check=True)
    else:
        names = [f"{name}={tree / name}" for name in sorted(os.listdir(tree))]
        subprocess.run([os.path.join(TOP, "scripts/make-archive"), "-o", file, *names], check=True)


@pytest.mark.parametrize("form", ["cpio", "tar"])
def test_files(machine, tmp_path, form):
    root = tmp_path / "root"
    archive(form, make_tree(tmp_path / "tree"), root)
    with boot(machine, root) as m:
        shell = Shell(m)
        assert sorted(shell.run("ls")) == ["boot/", "etc/", "note"]
        assert shell.run("ls /etc/xl") == ["one.cfg"]
        assert shell.run("ls -l /boot/../boot")[0].split()[:2] == ["-", "5000"]
        assert shell.run("cat /etc/xl/one.cfg") == ["name = 'one'", "memory = 8"]
        assert shell.run("cat etc/xl/one.cfg /etc/xl/two.cfg") == \
            ["name = 'one'", "memory = 8", "cat: /etc/xl/two.cfg: No such file or directory"]
        assert "is a directory" in shell.run("cat /etc")[0].lower()
        assert "not a directory" in shell.run("ls /note/x")[0].lower()
        assert "no option '-x'" in shell.run("ls -x")[0]


@pytest.mark.parametrize("damage", ["truncated", "other"])
def test_damaged(machine, tmp_path, damage):
    root = tmp_path / "root"
    archive("cpio", make_tree(tmp_path / "tree"), root)
    data = root.read_bytes()
    root.write_bytes(data[:len(data) // 2] if damage == "truncated" else b"something else" * 20)
    with boot(machine, root) as m:
        said = (r"There are no files: the root archive is [^\n]*truncated" if damage == "truncated"
                else r"There are no files: the root archive is neither cpio \(newc\) nor tar")
        m.expect(said)
        assert "no such file" in Shell(m).run("ls x")[0].lower()
