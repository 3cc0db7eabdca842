/* SPDX-License-Identifier: MIT */
/* XS_CONTROL: what the administrator may ask of the store itself, by the names of the document. */
#include "store/request.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int control_help(struct request *request)
{
	return answer_text(request, "check help log memreport print quota");
}

static int control_check(struct request *request)
{
	const char *problem = store_check(request->store);

	return answer_text(request, problem ? problem : "OK");
}

static int control_log(struct request *request)
{
	const char *word = take_string(request);

	if (!word || (strcmp(word, "on") != 0 && strcmp(word, "off") != 0))
		return -EINVAL;
	request->store->log = word[1] == 'n';
	return 0;
}

static int control_print(struct request *request)
{
	const char *text = take_string(request);

	if (!text)
		return -EINVAL;
	request->store->platform->print(text);
	return 0;
}

static int control_memreport(struct request *request)
{
	struct store *store = request->store;
	struct table_link *link = NULL;
	unsigned long bytes = 0;
	char text[256];

	while ((link = table_walk(&store->accounts, link)) != NULL)
		bytes += TABLE_ENTRY(struct account, link)->bytes;
	snprintf(text, sizeof(text),
		 "nodes %zu\npermission lists %zu\nwatches %zu\ndomains %zu\nbytes %lu",
		 store->nodes.count, store->lists.count, store->watches.count,
		 store->accounts.count, bytes);
	return answer_text(request, text);
}

static int show_quota(struct request *request)
{
	char text[512];
	const char *name;
	unsigned int *entry;
	size_t used = 0;

	for (unsigned int n = 0; (entry = quota_entry(&request->store->quota, n, &name)); n++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s: %u",
					 n ? "\n" : "", name, *entry);
	return answer_text(request, text);
}

static int set_quota(struct request *request)
{
	const char *wanted = take_string(request), *name;
	unsigned int *entry;
	uint64_t number;

	if (!wanted || take_number(request, UINT32_MAX, &number) != 0)
		return -EINVAL;
	for (unsigned int n = 0; (entry = quota_entry(&request->store->quota, n, &name)); n++) {
		if (strcmp(name, wanted) != 0)
			continue;
		*entry = (unsigned int)number;
		return 0;
	}
	return -EINVAL;
}

static int show_account(struct request *request, domid_t domain)
{
	const struct account *account = account_find(request->store, domain);
	char text[128];

	if (!account)
		return -ENOENT;
	snprintf(text, sizeof(text),
		 "nodes: %u\nwatches: %u\ntransactions: %u\noutstanding: %u\nmemory: %zu",
		 account->nodes, account->watches, account->transactions,
		 account->connection ? account->connection->answers : 0, account->bytes);
	return answer_text(request, text);
}

static int control_quota(struct request *request)
{
	const char *word = take_string(request);
	uint64_t domain;

	if (!word)
		return show_quota(request);
	if (!strcmp(word, "set"))
		return set_quota(request);
	if (parse_number(word, UINT16_MAX, &domain) != 0)
		return -EINVAL;
	return show_account(request, (domid_t)domain);
}

int do_control(struct request *request)
{
	static const struct {
		const char *name;
		int (*run)(struct request *request);
	} controls[] = {
	    {"log", control_log},     {"check", control_check},
	    {"help", control_help},   {"memreport", control_memreport},
	    {"print", control_print}, {"quota", control_quota},
	};
	const char *word = take_string(request);

	for (size_t i = 0; word && i < sizeof(controls) / sizeof(controls[0]); i++)
		if (!strcmp(word, controls[i].name))
			return controls[i].run(request);
	return -EINVAL;
}
