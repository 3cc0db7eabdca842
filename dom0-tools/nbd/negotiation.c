/* SPDX-License-Identifier: MIT */
/* Fixed newstyle negotiation (doc/proto.md, "Handshake phase"), with NBD_OPT_GO or, for old servers, without. */
#include "nbd/internal.h"

#define MAGIC_SERVER	 0x4e42444d41474943 /* "NBDMAGIC" */
#define MAGIC_OPTION	 0x49484156454f5054 /* "IHAVEOPT" */
#define MAGIC_ANSWER	 0x0003e889045565a9

#define FIXED_NEWSTYLE	 1u
#define NO_ZEROES	 2u

#define OPT_EXPORT_NAME	 1
#define OPT_GO		 7

#define REP_ACK		 1
#define REP_INFO	 3
#define REP_ERR		 (1u << 31)
#define REP_ERR_UNSUP	 (REP_ERR + 1)
#define REP_ERR_POLICY	 (REP_ERR + 2)
#define REP_ERR_TLS_REQD (REP_ERR + 5)
#define REP_ERR_UNKNOWN	 (REP_ERR + 6)

#define INFO_EXPORT	 0
#define INFO_BLOCK_SIZE	 3

#define GREETING_BYTES	 18
#define ANSWER_BYTES	 20
#define EXPORT_BYTES	 10
#define EXPORT_ZEROES	 124
/* More than any server says in an answer to what is asked here. */
#define ANSWER_DATA_MAX 4096

void nbd_negotiate(struct nbd *nbd)
{
	nbd->state = NBD_GREETING;
	nbd->size = 0;
	nbd->server_flags = 0;
	nbd->minimum = BLOCK_SECTOR;
	nbd->out_length = nbd->out_sent = 0;
	nbd_expect(nbd, GREETING_BYTES);
}

static void say(struct nbd *nbd, const void *bytes, size_t length)
{
	memcpy(nbd->out + nbd->out_length, bytes, length);
	nbd->out_length += (uint32_t)length;
}

static void say_option(struct nbd *nbd, uint32_t option, uint32_t length)
{
	uint8_t head[16];

	put64(head, MAGIC_OPTION);
	put32(head + 8, option);
	put32(head + 12, length);
	say(nbd, head, sizeof(head));
}

static void say_go(struct nbd *nbd)
{
	uint32_t name = (uint32_t)strlen(nbd->export_name);
	uint8_t number[4];

	say_option(nbd, OPT_GO, name + 8);
	put32(number, name);
	say(nbd, number, 4);
	say(nbd, nbd->export_name, name);
	put16(number, 1);
	put16(number + 2, INFO_BLOCK_SIZE);
	say(nbd, number, 4);
}

static void greeted(struct nbd *nbd)
{
	uint16_t flags = get16(nbd->in + 16);
	uint8_t answer[4];

	if (get64(nbd->in) != MAGIC_SERVER) {
		nbd_give_up(nbd, "what answers at that port is no NBD server", true);
		return;
	}
	if (get64(nbd->in + 8) != MAGIC_OPTION || !(flags & FIXED_NEWSTYLE)) {
		nbd_give_up(nbd, "the server speaks an old form of the protocol only", true);
		return;
	}
	nbd->zeroes = !(flags & NO_ZEROES);
	put32(answer, flags & (FIXED_NEWSTYLE | NO_ZEROES));
	say(nbd, answer, 4);
	say_go(nbd);
	nbd->state = NBD_ANSWER;
	nbd_expect(nbd, ANSWER_BYTES);
}

/* The server does not know OPT_GO: it has to be told the name without a chance to say no. */
static void fall_back(struct nbd *nbd)
{
	say_option(nbd, OPT_EXPORT_NAME, (uint32_t)strlen(nbd->export_name));
	say(nbd, nbd->export_name, strlen(nbd->export_name));
	nbd->state = NBD_EXPORT_INFO;
	nbd_expect(nbd, EXPORT_BYTES + (nbd->zeroes ? EXPORT_ZEROES : 0));
}

static const char *why_refused(uint32_t type)
{
	switch (type) {
	case REP_ERR_UNKNOWN:
		return "the server has no export of that name";
	case REP_ERR_POLICY:
		return "the server does not let this machine have that export";
	case REP_ERR_TLS_REQD:
		return "the server wants TLS, which this client does not have";
	}
	return "the server refuses the export";
}

static void answered(struct nbd *nbd)
{
	uint32_t length = get32(nbd->in + 16);

	nbd->answer_type = get32(nbd->in + 12);
	if (get64(nbd->in) != MAGIC_ANSWER || get32(nbd->in + 8) != OPT_GO ||
	    length > ANSWER_DATA_MAX) {
		nbd_give_up(nbd, "the server breaks the protocol's rules", true);
		return;
	}
	if (nbd->answer_type == REP_ERR_UNSUP) {
		fall_back(nbd);
		nbd->skip = length;
	} else if (nbd->answer_type & REP_ERR) {
		nbd_give_up(nbd, why_refused(nbd->answer_type), true);
	} else if (nbd->answer_type == REP_ACK) {
		nbd->skip = length;
		nbd_transfer(nbd);
	} else if (!length) {
		nbd_expect(nbd, ANSWER_BYTES);
	} else {
		nbd->state = NBD_ANSWER_DATA;
		nbd_expect(nbd, length < sizeof(nbd->in) ? length : sizeof(nbd->in));
		nbd->rest = length - nbd->want;
	}
}

/* The beginning of an answer's data; `rest` is how much more there is. */
static void informed(struct nbd *nbd)
{
	if (nbd->answer_type == REP_INFO && nbd->want >= 2) {
		uint16_t what = get16(nbd->in);

		if (what == INFO_EXPORT && nbd->want >= 12) {
			nbd->size = get64(nbd->in + 2);
			nbd->server_flags = get16(nbd->in + 10);
		} else if (what == INFO_BLOCK_SIZE && nbd->want >= 14) {
			nbd->minimum = get32(nbd->in + 2);
		}
	}
	nbd->state = NBD_ANSWER;
	nbd_expect(nbd, ANSWER_BYTES);
	nbd->skip = nbd->rest;
}

void nbd_negotiate_head(struct nbd *nbd)
{
	switch (nbd->state) {
	case NBD_GREETING:
		greeted(nbd);
		break;
	case NBD_ANSWER:
		answered(nbd);
		break;
	case NBD_ANSWER_DATA:
		informed(nbd);
		break;
	case NBD_EXPORT_INFO:
		nbd->size = get64(nbd->in);
		nbd->server_flags = get16(nbd->in + 8);
		nbd_transfer(nbd);
		break;
	default:
		break;
	}
}
