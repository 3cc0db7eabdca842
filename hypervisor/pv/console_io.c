/* SPDX-License-Identifier: MIT */
/* console_io: text to the machine's console and keys from it, for privileged domains. */
#include "pv/internal.h"
#include "console/console.h"
#include "lib/lib.h"

#define CHUNK 128

static long write_console(vaddr_t from, unsigned int count)
{
	char text[CHUNK];

	while (count) {
		unsigned int n = min(count, (unsigned int)CHUNK);

		if (copy_from_guest(text, from, n))
			return -EFAULT;
		console_write_guest(current->domain, text, n);
		from += n;
		count -= n;
		if (count && preempt_check())
			return hypercall_continue(__HYPERVISOR_console_io, 3,
						  (unsigned long)CONSOLEIO_write,
						  (unsigned long)count, from);
	}
	return 0;
}

/* How many were read; what has been typed is bounded by the console's own buffer. */
static long read_console(vaddr_t to, unsigned int count)
{
	char text[CHUNK];
	unsigned int done = 0;

	if (count > INT32_MAX)
		return -E2BIG;
	while (done < count) {
		size_t n = console_read(text, min(count - done, (unsigned int)CHUNK));

		if (n == 0)
			break;
		if (copy_to_guest(to + done, text, n))
			return -EFAULT;
		done += (unsigned int)n;
	}
	return done;
}

long do_console_io(unsigned int cmd, unsigned int count, vaddr_t buffer)
{
	if (!current->domain->is_privileged)
		return -EPERM;
	switch (cmd) {
	case CONSOLEIO_write:
		return write_console(buffer, count);
	case CONSOLEIO_read:
		return read_console(buffer, count);
	default:
		return -ENOSYS;
	}
}
