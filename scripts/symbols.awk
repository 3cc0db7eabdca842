# SPDX-License-Identifier: MIT
# From `nm -n` of the hypervisor to the table of its functions (hypervisor/lib/image.h).
$3 == "image_start" { start = $1 }
$2 ~ /^[tT]$/ && $3 !~ /^(image|text|init)_(start|end|text_end)$/ && $3 !~ /^\./ && $1 != last {
	address[n++] = $1
	name[n - 1] = $3
	last = $1
}
END {
	print ".section .symbols, \"a\""
	print ".globl symbol_count, symbol_offset, symbol_names"
	print ".hidden symbol_count, symbol_offset, symbol_names"
	print "symbol_count: .long " n + 0
	print "symbol_offset:"
	for (i = 0; i < n; i++)
		print ".long 0x" address[i] " - 0x" start
	print "symbol_names:"
	for (i = 0; i < n; i++)
		print ".string \"" name[i] "\""
	print ".section .note.GNU-stack, \"\""
}
