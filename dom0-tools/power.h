/* SPDX-License-Identifier: MIT */
/* Switching the machine off. */
#ifndef POWER_H
#define POWER_H

/* At once, without a word to the guests; the volume is left in order. reason: SHUTDOWN_poweroff or SHUTDOWN_reboot. For threads. */
_Noreturn void power_end(unsigned int reason);

/* Listen to the power button. What it does is told at the console. */
void power_start(void);

#endif
