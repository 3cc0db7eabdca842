/* SPDX-License-Identifier: MIT */
/* The first domain: tell what it was given, then a shell on the console. */
#include "shell.h"
#include "block/service.h"
#include "block/source.h"
#include "console/console.h"
#include "drivers/drivers.h"
#include "files/files.h"
#include "nbd/source.h"
#include "net/address.h"
#include "net/network.h"
#include "net/vif.h"
#include "notice.h"
#include "pci/pci.h"
#include "power.h"
#include "remote/remote.h"
#include "store/store.h"
#include "volume/mounted.h"
#include "xl/toolstack.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv);

static void start_devices(void)
{
	long error = pci_start();

	if (error)
		printf("The machine's devices cannot be used: %s\n", strerror((int)-error));
}

/* What the other domains and the tools rely on. */
static void start_services(void)
{
	long error = store_start();
	struct xs *xs;

	if (error) {
		printf("The store does not run: %s\n", strerror((int)-error));
		return;
	}
	xs = store_connect();
	error = xs ? console_start(xs) : -ENOMEM;
	if (error)
		printf("The console daemon does not run: %s\n", strerror((int)-error));
	error = vif_start(store_connect());
	if (error)
		printf("Guests have no networks: %s\n", strerror((int)-error));
	memory_sources_add();
	nbd_sources_add();
	disk_sources_add();
	error = block_service_start(store_connect());
	if (error)
		printf("Guests' disks are not served: %s\n", strerror((int)-error));
	toolstack_start(store_connect());
}

int main(int argc, char **argv)
{
	printf("Cerne dom0\n");
	show_info();
	files_start();
	network_start();
	drivers_options(argc, argv);
	pci_options(argc, argv);
	start_devices();
	mounted_start(argc, argv);
	start_services();
	power_start();
	address_start(argc, argv);
	remote_start();
	printf("Type `help` for the commands.\n");
	show_notice();
	shell_run();
}
