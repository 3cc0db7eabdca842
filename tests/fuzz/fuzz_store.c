/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/store/table.c dom0-tools/store/path.c dom0-tools/store/permission.c dom0-tools/store/tree.c dom0-tools/store/watch.c dom0-tools/store/transaction.c dom0-tools/store/view.c dom0-tools/store/request.c dom0-tools/store/control.c dom0-tools/store/ring.c dom0-tools/store/connection.c dom0-tools/store/domain.c dom0-tools/store/store.c
// runs: 3000
/*
 * The first byte says which: operations of several domains, chosen by the input, against the model (store_model.h),
 * or hostile domains that put whatever they like into their rings while others are served.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store_model.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int model_choose(unsigned int n)
{
	return next_byte() % n;
}

static uint32_t next_word(void)
{
	uint32_t word = 0;

	for (int i = 0; i < 4; i++)
		word = word << 8 | next_byte();
	return word;
}

/* Rings that nobody keeps in order */

/* A message that is one but for what the input says; its strings are of this tree. */
static void put_message(struct client *client)
{
	static const char *const strings[] = {"data",
					      "/local/domain/1/data",
					      "/",
					      "data/a/b",
					      "@releaseDomain",
					      "t",
					      "T",
					      "0",
					      "r2",
					      "n1",
					      "w3",
					      "/shared",
					      "1",
					      "@x/y",
					      "quota",
					      "check"};
	struct xsd_sockmsg header = {.type = model_choose(XS_TYPE_COUNT + 1),
				     .tx_id = model_choose(4) ? 0 : model_choose(8)};
	char payload[256];
	size_t size = 0;

	for (unsigned int n = model_choose(4); n; n--) {
		const char *text = strings[model_choose(16)];

		memcpy(payload + size, text, strlen(text) + 1);
		size += strlen(text) + 1;
	}
	if (!model_choose(4))
		payload[size++] = (char)next_byte();
	header.len = (uint32_t)(model_choose(16) ? size : next_word() % 8192);
	client_put(client, &header, sizeof(header));
	client_put(client, payload, size);
}

static void tamper(struct client *client)
{
	struct xenstore_domain_interface *ring = &client->ring;

	switch (model_choose(8)) {
	case 0:
		ring->req_prod = ring->req_cons + next_word() % 2048;
		break;
	case 1:
		ring->rsp_cons = ring->rsp_prod - next_word() % 2048;
		break;
	case 2:
		ring->req_cons = next_word();
		break;
	case 3:
		ring->rsp_prod = next_word();
		break;
	case 4:
		ring->server_features = next_word();
		break;
	case 5:
		ring->error = next_word();
		break;
	case 6:
		ring->connection = XENSTORE_RECONNECT;
		break;
	default:
		memset(ring, (int)next_byte(), sizeof(*ring));
		break;
	}
	if (client->connection)
		connection_ready(client->connection);
}

static void hostile_operation(void)
{
	struct client *client = &clients[1 + model_choose(2)];
	uint8_t byte;

	switch (model_choose(8)) {
	case 0:
		for (unsigned int n = next_byte(); n; n--) {
			byte = (uint8_t)next_byte();
			client_put(client, &byte, 1);
		}
		break;
	case 1:
		tamper(client);
		break;
	case 2:
		/* It takes all that there is, whatever it is. */
		client->ring.rsp_cons = client->ring.rsp_prod;
		if (client->connection)
			connection_ready(client->connection);
		break;
	case 3:
		client->state = DOMAIN_GONE;
		domains_check(store);
		introduce(client->domain);
		break;
	case 4:
		store_step(store);
		break;
	default:
		put_message(client);
		break;
	}
}

/* What the hostile ones may have is bounded, and a neighbour is served. */
static void check_hostile(void)
{
	const struct quota *quota = &store->quota;
	const char *problem;

	for (int i = 1; i < 3; i++) {
		const struct account *account = clients[i].connection->account;

		client_assert(account->nodes <= quota->nodes);
		client_assert(account->watches <= quota->watches);
		client_assert(account->transactions <= quota->transactions);
		client_assert(clients[i].connection->answers <= quota->requests);
		client_assert(clients[i].connection->events <= quota->events);
		client_assert(account->bytes <= quota->memory + (quota->requests + 2) * 4200);
	}
	client_assert(client_write(&clients[3], 0, "data/mine", "1") == 0);
	client_assert(client_read(&clients[3], 0, "data/mine") && !strcmp(clients[3].payload, "1"));
	client_assert(client_strings(&clients[3], XS_RM, 0, "data/mine", NULL) == 0);
	problem = store_check(store);
	if (problem)
		client_fail(__FILE__, __LINE__, problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input_start(data, size);
	if (next_byte() & 1) {
		model_start();
		for (unsigned int i = 0; i < 60 || left; i++)
			model_operation();
		model_end();
		return 0;
	}
	world_begin(4);
	client_assert(client_write(&clients[0], 0, "/shared", "") == 0);
	client_assert(client_strings(&clients[0], XS_SET_PERMS, 0, "/shared", "b0", NULL) == 0);
	for (unsigned int i = 0; i < 60 || left; i++) {
		hostile_operation();
		if (model_choose(4) == 0)
			run_store();
	}
	run_store();
	check_hostile();
	world_end();
	return 0;
}
