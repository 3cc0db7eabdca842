/* SPDX-License-Identifier: MIT */
/*
 * dom0's own address, on a bridge. It has none until it is told to: by dom0's argument ip=, by the file /etc/xl/ip in its
 * root, or by the command `ip`. What they say is the same list of words, separated by blanks, in the argument by commas:
 *
 *	dhcp | ADDRESS/BITS   gw=ADDRESS   dns=ADDRESS   bridge=NAME
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_config {
	bool dhcp;
	uint32_t address, mask, gateway, dns; /* in network order; 0: none */
	char bridge[16];
};

/*
 * Words to what they mean. False: something is wrong, and `error` says in a sentence what. Pure.
 */
bool address_parse(const char *text, struct address_config *config, char *error, size_t size);

/* Begin as arguments (argv of main) or file say. What is wrong is printed. */
void address_start(int argc, char **argv);

/* Has it one now? */
bool address_is_up(void);

/* Commands. */
int run_ip(int argc, char **argv);
int run_ping(int argc, char **argv);
int run_nslookup(int argc, char **argv);

#endif
