#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The page that the guest of debian.cfg serves about itself.

# row NAME VALUE: a row of the table.
row() {
	echo "<tr><th>$1<td>$2"
}

xen=/sys/hypervisor
read -r up _ </proc/uptime
cat <<-END
	Content-Type: text/html; charset=utf-8
	Cache-Control: no-store

	<!DOCTYPE html>
	<html lang="en">
	<meta name="viewport" content="width=device-width">
	<meta http-equiv="refresh" content="5">
	<title>A Debian guest on Cerne</title>
	<style>
	body { font: 16px/1.5 sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em; color: #222 }
	th { text-align: left; vertical-align: top; padding-right: 2em; white-space: nowrap }
	</style>
	<h1>A Debian guest on Cerne</h1>
	<p>This page comes from a virtual machine: Debian's kernel and busybox, as they are shipped. It reached you through the
	guest's network interface, the bridge in Cerne's dom0, and the machine's network card.
	<table>
END
row Kernel "$(uname -sr)"
row Built "$(uname -v)"
row Hypervisor "$(cat $xen/type) $(cat $xen/version/major).$(cat $xen/version/minor)$(cat $xen/version/extra)"
row Guest "$(cat $xen/uuid)"
row Up "${up%.*} s"
row Processors "$(nproc)"
row Memory "$(awk '/^MemTotal|^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo | { read -r all; read -r free; echo "$all MiB, $free MiB free"; })"
row Address "$(ifconfig eth0 | awk -F '[: ]+' '/inet addr/ { print $4 }')"
visitor=${REMOTE_ADDR#\[::ffff:}
row Visitor "${visitor%]}"
cat <<-END
	</table>
	<p>The console of the machine shows <code>cerne#</code>. There, <code>xl list</code> lists the guests and
	<code>xl console debian</code> leads to this guest's shell (Ctrl-] leaves it).
	</html>
END
