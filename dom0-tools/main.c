/* SPDX-License-Identifier: MIT */
/* The first domain: tell what it was given, then a shell on the console. */
#include "shell.h"
#include "files/files.h"
#include <stdio.h>

int main(int argc, char **argv);

int main(int argc, char **argv)
{
	printf("Cerne dom0\n");
	show_info();
	files_start();
	printf("Type `help` for the commands.\n");
	shell_run();
}
