/* SPDX-License-Identifier: MIT */
#include "remote/tls.h"
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/thread.h>
#include <mbedtls/entropy.h>
#include <mbedtls/hmac_drbg.h>

#define GOODBYE_MS 1000

static mbedtls_ssl_config config;
static mbedtls_entropy_context entropy;
static mbedtls_hmac_drbg_context random_generator;
static struct mutex random_lock;
static bool seeded;

/* Random numbers */

static bool draw(unsigned long long *number)
{
	unsigned char right = 0;

	for (unsigned int tries = 0; tries < 10 && !right; tries++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(*number), "=qm"(right) : : "cc");
	return right;
}

/* The library's only source. An error if the CPU is none. */
int mbedtls_hardware_poll(void *unused, unsigned char *output, size_t length, size_t *got);
int mbedtls_hardware_poll(void *unused, unsigned char *output, size_t length, size_t *got)
{
	unsigned int a, b, c, d;
	unsigned long long number;

	*got = 0;
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_RDRND))
		return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
	while (*got < length) {
		size_t piece = length - *got < sizeof(number) ? length - *got : sizeof(number);

		if (!draw(&number))
			return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
		memcpy(output + *got, &number, piece);
		*got += piece;
	}
	return 0;
}

static int next_random(void *unused, unsigned char *output, size_t length)
{
	int error;

	mutex_lock(&random_lock);
	error = mbedtls_hmac_drbg_random(&random_generator, output, length);
	mutex_unlock(&random_lock);
	return error;
}

static bool seed(void)
{
	static const unsigned char purpose[] = "cerne remote";

	if (seeded)
		return true;
	mbedtls_entropy_init(&entropy);
	mbedtls_hmac_drbg_init(&random_generator);
	seeded =
	    !mbedtls_hmac_drbg_seed(&random_generator, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
				    mbedtls_entropy_func, &entropy, purpose, sizeof(purpose));
	return seeded;
}

long tls_set_key(const char *identity, const uint8_t *key, size_t length)
{
	if (!seed())
		return -EOPNOTSUPP;
	mbedtls_ssl_config_free(&config);
	mbedtls_ssl_config_init(&config);
	if (mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER,
					MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT))
		return -ENOMEM;
	mbedtls_ssl_conf_rng(&config, next_random, NULL);
	if (mbedtls_ssl_conf_psk(&config, key, length, (const unsigned char *)identity,
				 strlen(identity)))
		return -ENOMEM;
	return 0;
}

/* The stream below */

static int below_write(void *data, const unsigned char *bytes, size_t size)
{
	struct tls *tls = data;
	uint64_t now = clock_now();
	size_t written = 0;
	err_t error;

	if (now >= tls->deadline)
		return MBEDTLS_ERR_SSL_TIMEOUT;
	netconn_set_sendtimeout(tls->connection, (int)((tls->deadline - now) / NSEC_PER_MSEC) + 1);
	error = netconn_write_partly(tls->connection, bytes, size, NETCONN_COPY, &written);
	if (written)
		return (int)written;
	return error == ERR_WOULDBLOCK ? MBEDTLS_ERR_SSL_TIMEOUT : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int below_read(void *data, unsigned char *bytes, size_t size)
{
	struct tls *tls = data;
	uint64_t now = clock_now();
	uint16_t got;
	err_t error;

	if (!tls->received) {
		if (now >= tls->deadline)
			return MBEDTLS_ERR_SSL_TIMEOUT;
		netconn_set_recvtimeout(tls->connection,
					(int)((tls->deadline - now) / NSEC_PER_MSEC) + 1);
		error = netconn_recv(tls->connection, &tls->received);
		if (error != ERR_OK) {
			tls->received = NULL;
			return error == ERR_TIMEOUT ? MBEDTLS_ERR_SSL_TIMEOUT
						    : MBEDTLS_ERR_SSL_CONN_EOF;
		}
		tls->taken = 0;
	}
	if (size > UINT16_MAX)
		size = UINT16_MAX;
	got = netbuf_copy_partial(tls->received, bytes, (uint16_t)size, tls->taken);
	tls->taken += got;
	if (tls->taken >= netbuf_len(tls->received)) {
		netbuf_delete(tls->received);
		tls->received = NULL;
	}
	return got;
}

/* Connections */

bool tls_open(struct tls *tls, struct netconn *connection, uint64_t deadline)
{
	memset(tls, 0, sizeof(*tls));
	tls->connection = connection;
	tls->deadline = deadline;
	mbedtls_ssl_init(&tls->ssl);
	if (mbedtls_ssl_setup(&tls->ssl, &config))
		return false;
	mbedtls_ssl_set_bio(&tls->ssl, tls, below_write, below_read, NULL);
	/* The stream waits, so every error is one. */
	return !mbedtls_ssl_handshake(&tls->ssl);
}

long tls_read(struct tls *tls, void *bytes, size_t size, uint64_t deadline)
{
	int got;

	tls->deadline = deadline;
	got = mbedtls_ssl_read(&tls->ssl, bytes, size);
	if (got == MBEDTLS_ERR_SSL_TIMEOUT)
		return -ETIMEDOUT;
	return got > 0 ? got : 0;
}

bool tls_write(struct tls *tls, const void *bytes, size_t size, uint64_t deadline)
{
	const unsigned char *at = bytes;

	tls->deadline = deadline;
	while (size) {
		int written = mbedtls_ssl_write(&tls->ssl, at, size);

		if (written <= 0)
			return false;
		at += written;
		size -= (size_t)written;
	}
	return true;
}

void tls_close(struct tls *tls)
{
	tls->deadline = clock_now() + GOODBYE_MS * NSEC_PER_MSEC;
	if (tls->ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER)
		mbedtls_ssl_close_notify(&tls->ssl);
	mbedtls_ssl_free(&tls->ssl);
	if (tls->received)
		netbuf_delete(tls->received);
	netconn_close(tls->connection);
	netconn_delete(tls->connection);
}
