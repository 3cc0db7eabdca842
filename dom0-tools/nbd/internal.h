/* SPDX-License-Identifier: MIT */
#ifndef NBD_INTERNAL_H
#define NBD_INTERNAL_H

#include "nbd/nbd.h"
#include <string.h>

/* The protocol's numbers (doc/proto.md, "Values"), and its byte order. */
#define NBD_FLAG_READ_ONLY  (1u << 1)
#define NBD_FLAG_SEND_FLUSH (1u << 2)
#define NBD_FLAG_SEND_TRIM  (1u << 5)

#define NBD_CMD_READ	    0
#define NBD_CMD_WRITE	    1
#define NBD_CMD_DISC	    2
#define NBD_CMD_FLUSH	    3
#define NBD_CMD_TRIM	    4

static inline void put16(uint8_t *at, uint16_t value)
{
	value = __builtin_bswap16(value);
	memcpy(at, &value, sizeof(value));
}

static inline void put32(uint8_t *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(at, &value, sizeof(value));
}

static inline void put64(uint8_t *at, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(at, &value, sizeof(value));
}

static inline uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return __builtin_bswap16(value);
}

static inline uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return __builtin_bswap32(value);
}

static inline uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return __builtin_bswap64(value);
}

/* End the connection for a reason of ours; refused: another one will end in the same way. */
void nbd_give_up(struct nbd *nbd, const char *problem, bool refused);
/* What comes next is a head of so many bytes. */
void nbd_expect(struct nbd *nbd, uint32_t bytes);

/* negotiation.c: the first word is the server's; then each head of an answer. */
void nbd_negotiate(struct nbd *nbd);
void nbd_negotiate_head(struct nbd *nbd);

/* transfer.c: the export is agreed on; the head of a reply; the data of one. */
void nbd_transfer(struct nbd *nbd);
void nbd_transfer_head(struct nbd *nbd);
size_t nbd_transfer_data(struct nbd *nbd, const uint8_t *bytes, size_t length);
/* The connection is lost; nobody will have an answer. */
void nbd_transfer_stop(struct nbd *nbd);
void nbd_transfer_fail(struct nbd *nbd);
/* Has something been without an answer for so long? */
bool nbd_transfer_is_stuck(const struct nbd *nbd, uint64_t now);
/* Start what waits, send what there is room for. */
void nbd_transfer_run(struct nbd *nbd);

/* log.c: writes that a server may still lose. */
/* Copy a write's data; NULL: there is no room. */
struct nbd_entry *nbd_log_add(struct nbd *nbd, const struct block_request *request);
/* Its bytes from `at` on: how many there are in one piece, at *bytes. */
uint32_t nbd_log_bytes(const struct nbd *nbd, const struct nbd_entry *entry, uint32_t at,
		       const uint8_t **bytes);
void nbd_log_answered(struct nbd *nbd, struct nbd_entry *entry);
/* It need not be written again, for whatever reason. */
void nbd_log_drop(struct nbd *nbd, struct nbd_entry *entry);
/* A flush has ended: what had been answered by then is stable, or lost for good and told so. */
void nbd_log_flushed(struct nbd *nbd, uint64_t covers);
/* The oldest entry that is not stable and was answered, by then at the latest; NULL: none. */
struct nbd_entry *nbd_log_oldest_answered(struct nbd *nbd, uint64_t then);

#endif
