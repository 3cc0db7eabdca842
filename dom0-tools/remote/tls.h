/* SPDX-License-Identifier: MIT */
/* A TLS connection over one of lwIP's, the server's side. For threads. */
#ifndef REMOTE_TLS_H
#define REMOTE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <lwip/api.h>
#include <mbedtls/ssl.h>

#define TLS_KEY_LEAST 16 /* bytes */
#define TLS_KEY_MOST  MBEDTLS_PSK_MAX_LEN

struct tls {
	struct netconn *connection;
	struct netbuf *received; /* not all of it taken yet */
	uint16_t taken;
	uint64_t deadline; /* of what goes on; a system time */
	mbedtls_ssl_context ssl;
};

/*
 * The key of all connections that begin from now on; once at a time, and not while any are open. 0; -EOPNOTSUPP: the CPU
 * draws no random numbers; -ENOMEM.
 */
long tls_set_key(const char *identity, const uint8_t *key, size_t length);

/* Begin, and shake hands until a system time. False: it has failed, or time was up. tls_close in both cases. */
bool tls_open(struct tls *tls, struct netconn *connection, uint64_t deadline);

/* Read some bytes, until a system time: how many, 0 at the end or for an error; -ETIMEDOUT. */
long tls_read(struct tls *tls, void *bytes, size_t size, uint64_t deadline);

/* Write all of it, until a system time. */
bool tls_write(struct tls *tls, const void *bytes, size_t size, uint64_t deadline);

/* Say good-bye and free all but the structure. */
void tls_close(struct tls *tls);

#endif
