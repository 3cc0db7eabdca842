/* SPDX-License-Identifier: MIT */
/* Switching the machine off. */
#ifndef POWER_H
#define POWER_H

/* Listen to the power button. What it does is told at the console. */
void power_start(void);

#endif
