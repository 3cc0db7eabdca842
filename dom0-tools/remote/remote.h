/* SPDX-License-Identifier: MIT */
/*
 * The shell over the network: TCP, TLS 1.2 with a key that both sides have (RFC 5489, RFC 7905), lines in, and out what
 * the console would show. Off until there is a key, from /etc/xl/remote in dom0's root or the command `remote`. A client
 * is openssl(1):
 *
 *	openssl s_client -quiet -connect ADDRESS:PORT -psk_identity cerne -psk KEY
 *
 * Who has no key costs a bounded share: so many connections at once and a second, all of them ended in time.
 */
#ifndef REMOTE_REMOTE_H
#define REMOTE_REMOTE_H

#define REMOTE_PORT	2222
#define REMOTE_IDENTITY "cerne"

/* Begin if the file has a key. What is wrong is printed. */
void remote_start(void);

/* The command. */
int run_remote(int argc, char **argv);

#endif
