/* SPDX-License-Identifier: MIT */
#include "net/network.h"
#include "files/files.h"
#include "net/internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/thread.h>

#define CONFIG	      "/etc/xl/bridges"
#define LINE	      128
#define NETWORK_CARDS 8

/* An uplink brings the broadcasts of a whole network. */
#define STORM_UPLINK	 20000
#define ADDRESSES_UPLINK 1024

static struct mutex lock; /* of all below, and of who makes and removes bridges */
static struct net_port *cards[NETWORK_CARDS];
static unsigned int card_count;

static struct net_port *find_card(const char *name)
{
	for (unsigned int i = 0; i < card_count; i++)
		if (strcmp(cards[i]->name, name) == 0)
			return cards[i];
	return NULL;
}

static long attach_card(struct bridge *bridge, struct net_port *card)
{
	const struct bridge_options options = {
	    .trunk = true, .uplink = true, .storm = STORM_UPLINK, .addresses = ADDRESSES_UPLINK};

	return bridge_attach(bridge, card, &options);
}

/* Is the name one of a list's? */
static bool lists(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (*list) {
		size_t item = strcspn(list, ",");

		if (item == length && memcmp(list, name, length) == 0)
			return true;
		list += item + (list[item] == ',');
	}
	return false;
}

/* A card that is an uplink goes there when both are there, whichever comes first. */
static long connect_card(struct net_port *card)
{
	for (struct bridge *bridge = bridges; bridge; bridge = bridge->next)
		if (lists(bridge->uplink, card->name))
			return attach_card(bridge, card);
	return 0;
}

/* Put a bridge's uplinks on it, and take other cards off it. The first error. */
static long connect_bridge(struct bridge *bridge)
{
	long error = 0, result;

	for (unsigned int i = 0; i < card_count; i++) {
		struct net_port *card = cards[i];
		bool wanted = lists(bridge->uplink, card->name);

		if (bridge_of(card) == bridge && !wanted)
			bridge_detach(card);
		if (bridge_of(card) == bridge || !wanted)
			continue;
		result = attach_card(bridge, card);
		error = error ? error : result;
	}
	return error;
}

long network_add_card(struct net_port *port)
{
	long error;

	mutex_lock(&lock);
	if (card_count == NETWORK_CARDS) {
		mutex_unlock(&lock);
		return -ENOSPC;
	}
	snprintf(port->name, sizeof(port->name), "net%u", card_count);
	cards[card_count++] = port;
	error = connect_card(port);
	if (error)
		printf("%s: not on its bridge: %s\n", port->name, strerror((int)-error));
	mutex_unlock(&lock);
	return 0;
}

const struct bridge_settings bridge_settings_default = {
    .uplink = "", .antispoof = true, .storm = BRIDGE_STORM_GUEST};

long network_create_bridge(const char *name, const struct bridge_settings *settings)
{
	struct bridge *bridge;
	long error;

	if (strlen(settings->uplink) >= UPLINKS)
		return -EINVAL;
	mutex_lock(&lock);
	error = bridge_create(name, &bridge);
	if (!error) {
		memcpy(bridge->uplink, settings->uplink, strlen(settings->uplink) + 1);
		bridge->antispoof = settings->antispoof;
		bridge->follow = settings->follow;
		bridge->storm = settings->storm;
		error = connect_bridge(bridge);
	}
	mutex_unlock(&lock);
	return error;
}

static bool is_card(const struct net_port *port)
{
	for (unsigned int i = 0; i < card_count; i++)
		if (cards[i] == port)
			return true;
	return false;
}

long network_remove_bridge(const char *name)
{
	struct bridge *bridge;
	long error = -ENOENT;

	mutex_lock(&lock);
	bridge = bridge_find(name);
	if (bridge) {
		error = bridge_is_used(bridge, is_card) ? -EBUSY : 0;
		if (!error) {
			bridge->uplink[0] = 0;
			connect_bridge(bridge);
			error = bridge_destroy(bridge);
		}
	}
	mutex_unlock(&lock);
	return error;
}

/* All in the list are cards that are on no other bridge. */
static long check_uplinks(const struct bridge *bridge, const char *list)
{
	char name[NET_PORT_NAME];

	if (strlen(list) >= UPLINKS)
		return -EINVAL;
	while (*list) {
		size_t length = strcspn(list, ",");
		const struct net_port *card;

		if (length >= sizeof(name))
			return -ENODEV;
		memcpy(name, list, length);
		name[length] = 0;
		card = find_card(name);
		if (!card)
			return -ENODEV;
		if (bridge_of(card) && bridge_of(card) != bridge)
			return -EBUSY;
		list += length + (list[length] == ',');
	}
	return 0;
}

long network_set_uplink(const char *name, const char *uplink)
{
	struct bridge *bridge;
	long error = -ENOENT;

	mutex_lock(&lock);
	bridge = bridge_find(name);
	if (bridge)
		error = check_uplinks(bridge, uplink);
	if (!error) {
		memcpy(bridge->uplink, uplink, strlen(uplink) + 1);
		error = connect_bridge(bridge);
		bridge_tell_beyond(bridge);
	}
	mutex_unlock(&lock);
	return error;
}

void network_each_uplink(const char *name, void (*each)(const char *name, bool link, void *data),
			 void *data)
{
	const struct bridge *bridge;

	mutex_lock(&lock);
	bridge = bridge_find(name);
	for (unsigned int i = 0; i < card_count && bridge; i++)
		if (bridge_of(cards[i]) == bridge)
			each(cards[i]->name, cards[i]->link, data);
	mutex_unlock(&lock);
}

long network_set_follow(const char *name, bool follow)
{
	struct bridge *bridge;

	mutex_lock(&lock);
	bridge = bridge_find(name);
	if (bridge) {
		bridge->follow = follow;
		bridge_tell_beyond(bridge);
	}
	mutex_unlock(&lock);
	return bridge ? 0 : -ENOENT;
}

long network_attach_guest(struct net_port *port, const char *bridge_text, const char *ips)
{
	struct bridge_options options = {0};
	char name[BRIDGE_NAME];
	struct bridge *bridge;
	long error = bridge_parse(bridge_text, name, &options);

	if (!error)
		error = bridge_parse_ips(ips, &options);
	if (error)
		return error;
	mutex_lock(&lock);
	bridge = bridge_find(name);
	if (bridge) {
		options.strict = bridge->antispoof;
		options.storm = bridge->storm;
		error = bridge_attach(bridge, port, &options);
	} else {
		error = -ENOENT;
	}
	mutex_unlock(&lock);
	return error;
}

/* The file */

struct config_line {
	char name[LINE];
	struct bridge_settings settings;
};

static bool parse_switch(const char *value, bool *on)
{
	*on = strcmp(value, "on") == 0;
	return *on || strcmp(value, "off") == 0;
}

static bool parse_word(struct bridge_settings *settings, char *word)
{
	char *value = strchr(word, '='), *end;
	unsigned long storm;

	if (!value)
		return false;
	*value++ = 0;
	if (strcmp(word, "uplink") == 0) {
		settings->uplink = strcmp(value, "none") == 0 ? "" : value;
		return true;
	}
	if (strcmp(word, "antispoof") == 0)
		return parse_switch(value, &settings->antispoof);
	if (strcmp(word, "follow") == 0)
		return parse_switch(value, &settings->follow);
	if (strcmp(word, "storm") != 0)
		return false;
	storm = strtoul(value, &end, 10);
	settings->storm = (uint32_t)storm;
	return value[0] >= '0' && value[0] <= '9' && !*end && storm <= 10000000;
}

static void read_line(char *text, unsigned int number)
{
	struct config_line line = {.settings = bridge_settings_default};
	char *rest, *word, *shown;
	long error;

	text[strcspn(text, "#")] = 0;
	word = strtok_r(text, " \t\r", &rest);
	if (!word)
		return;
	memcpy(line.name, word, strlen(word) + 1);
	while ((word = strtok_r(NULL, " \t\r", &rest)) != NULL) {
		shown = strdup(word);
		if (!parse_word(&line.settings, word)) {
			printf(CONFIG ":%u: '%s' is not understood; the line is left out\n", number,
			       shown ? shown : word);
			free(shown);
			return;
		}
		free(shown);
	}
	error = network_create_bridge(line.name, &line.settings);
	if (error)
		printf(CONFIG ":%u: no bridge '%s': %s\n", number, line.name,
		       error == -EEXIST ? "there is one of this name" : strerror((int)-error));
}

static void read_config(const char *text, size_t size)
{
	char line[LINE];
	size_t length;

	for (unsigned int number = 1; size; number++) {
		const char *end = memchr(text, '\n', size);

		length = end ? (size_t)(end - text) : size;
		if (length < LINE) {
			memcpy(line, text, length);
			line[length] = 0;
			read_line(line, number);
		} else {
			printf(CONFIG ":%u: the line is too long and left out\n", number);
		}
		length += end ? 1 : 0;
		text += length;
		size -= length;
	}
}

void network_start(void)
{
	struct bridge_settings settings = bridge_settings_default;
	const void *text;
	size_t size;
	long error = files_map(CONFIG, &text, &size);

	if (!error) {
		read_config(text, size);
		return;
	}
	settings.uplink = "net0";
	error = network_create_bridge(BRIDGE_DEFAULT, &settings);
	if (error)
		printf("No bridge " BRIDGE_DEFAULT ": %s\n", strerror((int)-error));
}
