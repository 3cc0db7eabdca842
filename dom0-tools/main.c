/* SPDX-License-Identifier: MIT */
/* The first domain: tell what it was given, then a shell on the console. */
#include "shell.h"
#include "files/files.h"
#include "store/store.h"
#include "xl/toolstack.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv);

int main(int argc, char **argv)
{
	long error;

	printf("Cerne dom0\n");
	show_info();
	files_start();
	error = store_start();
	if (error)
		printf("The store does not run: %s\n", strerror((int)-error));
	else
		toolstack_start(store_connect());
	printf("Type `help` for the commands.\n");
	shell_run();
}
