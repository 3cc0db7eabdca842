# SPDX-License-Identifier: MIT
"""A session at dom0's shell."""
import re

import pytest

from machine import Died
from shell import PROMPT, Shell

UP, DOWN, LEFT, HOME, END, DELETE = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[3~"
CTRL_A, CTRL_C, CTRL_E, CTRL_K, CTRL_U, CTRL_W, BACKSPACE = "\x01", "\x03", "\x05", "\x0b", "\x15", "\x17", "\x7f"
COMMANDS = ["help", "info", "dmesg", "threads", "free", "uptime", "reboot", "poweroff"]


def seconds_up(lines):
    """The time that `uptime` tells, in seconds."""
    text = " ".join(lines)
    found = re.search(r"(\d+(?:\.\d+)?) s", text)
    assert found, text
    return float(found.group(1))


def test_session(machine):
    with machine("loglvl=all", cpus=2, memory="256M") as m:
        shell = Shell(m)

        said = "\n".join(shell.run("help"))
        for command in COMMANDS:
            assert re.search(rf"^\s*{command}\b", said, re.M), command

        said = "\n".join(shell.run("info"))
        assert re.search(r"4\.17", said) and re.search(r"MiB", said), said

        assert any("(CERNE)" in line for line in shell.run("dmesg"))
        assert len(shell.run("threads")) >= 2
        assert re.search(r"\d+ (?:KiB|MiB)", "\n".join(shell.run("free")))

        said = "\n".join(shell.run("nonsense"))
        assert "nonsense" in said and re.search(r"unknown|not found|no such", said, re.I), said
        assert shell.run("") == []
        shell.run("help " + "x" * 300)
        # Keys that no command line has a use for are not shown; what is left is not a command.
        m.send("\x1b[200~\x1bOP\x80;|&$(){}\\\r")
        assert "unknown" in "\n".join(shell.result(";|&$(){}\\"))
        assert "quote" in "\n".join(shell.run("echo 'not closed"))
        assert shell.run("echo  a 'b  c' \"d\" e\\ f") == ["a b  c d e f"]
        shell.poweroff()


def test_line_editing(machine):
    """Each way to edit a line ends in the same command."""
    with machine(memory="128M") as m:
        shell = Shell(m)
        expected = shell.run("threads")[0]
        ways = {
            "backspace": "threadsxy" + BACKSPACE * 2,
            "insert": "thads" + LEFT * 3 + "re",
            "home": "hreads" + HOME + "t" + END,
            "delete": "xthreads" + HOME + DELETE,
            "kill line": "nonsense" + CTRL_U + "threads",
            "kill rest": "threadsnonsense" + LEFT * 8 + CTRL_K,
            "kill word": "threads nonsense" + CTRL_W,
            "give up": "nonsense" + CTRL_C + "threads",
        }
        for way, keys in ways.items():
            m.send(keys + "\r")
            try:
                m.expect(re.escape(expected))
                m.expect(re.escape(PROMPT))
            except Died as died:
                pytest.fail(f"{way}: {died}")
        shell.poweroff()


def test_history(machine):
    with machine(memory="128M") as m:
        shell = Shell(m)
        free, threads = shell.run("free")[0], shell.run("threads")[0]
        # A line entered twice in a row is kept once: free threads, then free threads free, and so on.
        for keys, expected in ((UP + "\r", threads), (UP * 2 + "\r", free), (UP * 2 + "\r", threads),
                               (UP * 3 + DOWN + "\r", free), (UP * 40 + DOWN + "\r", threads)):
            m.send(keys)
            m.expect(re.escape(expected[:12]))
            m.expect(re.escape(PROMPT))
        shell.poweroff()


def test_time_passes(machine):
    """uptime grows by the time that the host sees pass, within what emulation makes uncertain."""
    with machine(cpus=2) as m:
        shell = Shell(m)
        first = seconds_up(shell.run("uptime"))
        while (now := seconds_up(shell.run("uptime"))) < first + 3:
            assert now >= first
        shell.poweroff()


def test_completion(machine):
    """Tab completes a command, shows the choices where there are several, and does the same after `help`."""
    with machine(memory="128M") as m:
        shell = Shell(m)
        m.send("thr\t\r")
        shell.result("threads")
        m.send("reb\t")
        m.expect("reboot")
        m.send(CTRL_U + "d\t\t")
        m.expect(r"date\s+debug-keys\s+disks\s+disktest\s+dmesg")
        m.expect(re.escape(PROMPT) + "d")
        m.send("m\t\r")
        shell.result("dmesg")
        m.send("help fr\t\r")
        assert shell.result("help free")[0].startswith("free")
        shell.poweroff()


def test_threads_sleep(machine):
    """A thread that sleeps costs no CPU: the time goes to the idle one."""
    with machine(memory="128M") as m:
        shell = Shell(m)
        before = seconds_up(shell.run("uptime"))
        assert shell.run("sleep 2") == []
        said = shell.run("uptime")
        assert seconds_up(said) >= before + 2
        threads = {line.split()[-1 if "idle" in line else 1]: line.split() for line in shell.run("threads")[1:]}
        assert float(threads["main"][3]) < 2, threads
        shell.poweroff()


def test_typing_ahead(machine):
    """Nothing that arrives in one burst is lost."""
    with machine(memory="128M") as m:
        shell = Shell(m)
        m.send("".join(f"nonsense{i}\r" for i in range(8)))
        for i in range(8):
            m.expect(rf"nonsense{i}\b[^\n]*\n[^\n]*nonsense{i}")
            m.expect(re.escape(PROMPT))
        shell.poweroff()
