/* SPDX-License-Identifier: MIT */
/*
 * The power button: the guests are asked to shut down, and the machine is switched off when they have, or after a while, or when
 * the button is pressed again.
 */
#include "power.h"
#include "acpi/firmware.h"
#include "pci/pci.h"
#include "shell.h"
#include "volume/mounted.h"
#include "xl/toolstack.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/start.h>
#include <guest/thread.h>
#include <public/sched.h>

#define PATIENCE (60 * NSEC_PER_SEC)
#define LOOK	 (NSEC_PER_SEC / 4)

static unsigned int presses; /* masked */
static struct wait_queue pressed;

static void on_press(void)
{
	presses++;
	wake_all(&pressed);
}

static bool pressed_again(void)
{
	return __atomic_load_n(&presses, __ATOMIC_RELAXED) > 1;
}

/* How many guests still run; they are asked first, if ask. */
static unsigned int running(bool ask)
{
	struct domain_list list = {0};
	unsigned int count = 0;

	if (domain_list_read(&list) == 0)
		for (unsigned int n = 0; n < list.count; n++) {
			const struct domain_view *domain = &list.views[n];

			if (!domain->domid || domain->shutdown || domain->dying)
				continue;
			count++;
			if (ask)
				domain_store_write((domid_t)domain->domid, "control/shutdown",
						   "poweroff");
		}
	domain_list_free(&list);
	return count;
}

/* A volume with files that guests use stays as it is, which is no worse than a power cut once it is written out. */
_Noreturn void power_end(unsigned int reason)
{
	fflush(stdout);
	if (mounted_volume)
		mounted_unmount();
	if (mounted_volume)
		volume_sync(mounted_volume);
	pci_stop();
	if (reason == SHUTDOWN_poweroff)
		acpi_prepare_off();
	shutdown(reason);
}

static void shut_down(void)
{
	uint64_t end = clock_now() + PATIENCE;
	unsigned int count = running(true);
	char text[120];

	snprintf(text, sizeof(text),
		 "The power button: %u guest%s asked to shut down; press it again not to wait.",
		 count, count == 1 ? " is" : "s are");
	shell_announce(count ? text : "The power button: the machine is switched off.");
	while (count && !pressed_again() && clock_now() < end) {
		thread_sleep(LOOK);
		count = running(false);
	}
	if (count)
		shell_announce("Guests that still run are stopped as they are.");
	power_end(SHUTDOWN_poweroff);
}

static void wait_for_press(void *argument)
{
	(void)argument;
	events_mask();
	while (!presses)
		wait_on(&pressed, 0);
	events_unmask();
	shut_down();
}

void power_start(void)
{
	long error = acpi_power_button(on_press);
	struct thread *thread;

	if (error == -ENODEV)
		return;
	thread = error ? NULL : thread_create("power", wait_for_press, NULL);
	if (thread)
		thread_detach(thread);
	else
		printf("The power button does nothing: %s\n",
		       strerror(error ? (int)-error : ENOMEM));
}
