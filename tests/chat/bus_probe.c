/* SPDX-License-Identifier: MIT */
/*
 * One instance's bus, driven by lines: what tests/chat/bus.py says on standard
 * input is asked of the bus, and what the bus tells the hub is printed, one
 * line each.
 *
 * bus_probe INSTANCE standalone|cluster HOST:PORT[,HOST:PORT] [STORE]
 */
#include "io/bus.h"
#include "io/clock.h"
#include "io/report.h"
#include "io/sink.h"
#include "io/store.h"
#include "core/slot.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hub {
	pthread_mutex_t lock;
};

static struct hub hub = {PTHREAD_MUTEX_INITIALIZER};
static struct bus *bus;
static struct store *store;
static const char *instance;
static uint64_t tickets;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	pthread_mutex_lock(&hub.lock);
	vprintf(format, args);
	putchar('\n');
	fflush(stdout);
	pthread_mutex_unlock(&hub.lock);
	va_end(args);
}

static const char *id_text(struct msgid id)
{
	static _Thread_local char text[4][MSGID_TEXT_MAX];
	static _Thread_local unsigned turn;
	char *out = text[turn++ % 4];

	msgid_format(id, out);
	return out;
}

static void say_msg(const char *what, const struct msg *m)
{
	say("%s %.*s %s %.*s %.*s", what, SLICE_ARG(m->room), id_text(m->id),
	    SLICE_ARG(m->mid), SLICE_ARG(m->text));
}

/* ---------------------------------------------------------------- sink */

void hub_on_open(struct hub *h, struct slice room, struct slice topic,
		 struct msgid head, struct msg *const *recent, unsigned count)
{
	(void)h;
	(void)recent;
	say("open %.*s %s %u %.*s", SLICE_ARG(room), id_text(head), count,
	    SLICE_ARG(topic));
}

void hub_on_message(struct hub *h, struct msg *m)
{
	(void)h;
	if (store && !msgid_is_none(m->id))
		store->append(store, m);
	say_msg("message", m);
}

void hub_on_identified(struct hub *h, struct msg *m)
{
	(void)h;
	if (store)
		store->append(store, m);
	say_msg("identified", m);
}

void hub_on_repeated(struct hub *h, struct msg *m)
{
	(void)h;
	say_msg("repeat", m);
}

void hub_on_gap(struct hub *h, struct slice room, struct msgid from,
		struct msgid to)
{
	(void)h;
	say("gap %.*s %s %s", SLICE_ARG(room), id_text(from), id_text(to));
}

void hub_on_posted(struct hub *h, uint64_t ticket, enum posted result,
		   struct slice room, struct slice mid, struct msgid id)
{
	static const char *const names[] = {
		[POSTED] = "posted",	      [POSTED_REFUSED] = "refused",
		[POSTED_QUEUED] = "queued",   [POSTED_LATE] = "late",
		[POSTED_UNTAKEN] = "untaken",
	};

	(void)h;
	(void)ticket;
	say("%s %.*s %s %.*s", names[result], SLICE_ARG(room), id_text(id),
	    SLICE_ARG(mid));
}

void hub_on_claimed(struct hub *h, uint64_t ticket, struct slice nick,
		    struct slice hash, bool taken)
{
	(void)h;
	(void)ticket;
	(void)hash;
	say("%s %.*s", taken ? "taken" : "claimed", SLICE_ARG(nick));
}

void hub_on_signal(struct hub *h, const struct signal *s)
{
	static const char *const names[] = {"join",  "part",	  "nick",
					    "topic", "typing",	  "taken",
					    "kick",  "broadcast", "gone"};

	(void)h;
	say("signal %s room=%.*s nick=%.*s text=%.*s instance=%.*s "
	    "ticket=%" PRIu64,
	    names[s->kind], SLICE_ARG(s->room), SLICE_ARG(s->nick),
	    SLICE_ARG(s->text), SLICE_ARG(s->instance), s->ticket);
}

void hub_on_state(struct hub *h, enum bus_state state)
{
	(void)h;
	say("state %s", state == BUS_UP ? "up" : "down");
}

void hub_on_lease(struct hub *h, unsigned *clients, unsigned *rooms)
{
	(void)h;
	*clients = 7;
	*rooms = 2;
}

/* ------------------------------------------------------------ commands */

static void take_page(void *arg, uint64_t ticket, const struct page *page)
{
	char ids[PAGE_MAX * (MSGID_TEXT_MAX + 1)] = "";
	size_t len = 0;

	(void)arg;
	(void)ticket;
	for (unsigned i = 0; i < page->count; i++)
		len += (size_t)snprintf(ids + len, sizeof(ids) - len, " %s%s",
					id_text(page->items[i]->id),
					page->items[i]->repeat ? "r" : "");
	say("page %.*s %u%s%s%s%s", SLICE_ARG(page->room), page->count,
	    page->more ? " more" : "", page->gap ? " gap" : "",
	    page->failed ? " failed" : "", ids);
}

/* post ROOM MID TEXT */
static void do_post(const char **word, bool retry)
{
	struct msg_fields f = {.mid = slice_of(word[2]),
			       .room = slice_of(word[1]),
			       .sender = SLICE("lan"),
			       .text = slice_of(word[3]),
			       .instance = slice_of(instance),
			       .ts_ms = wall_ms()};
	struct msg *m;
	int ret = msg_new(&m, &f);

	if (!ret)
		ret = bus->post(bus, m, retry, ++tickets);
	if (ret)
		say("error %s %s", word[2], strerror(-ret));
}

/* read bus|store ROOM before|once|after ID LIMIT; once: before, for people */
static void do_read(const char **word)
{
	struct page_question q = {.room = slice_of(word[2]),
				  .before = strcmp(word[3], "after") != 0,
				  .limit = (unsigned)atoi(word[5]),
				  .once = !strcmp(word[3], "once")};
	const struct page_reader reader = {take_page, NULL, 0};

	msgid_parse(slice_of(word[4]), &q.id);
	if (!strcmp(word[1], "store"))
		store->read(store, &q, reader);
	else
		bus->read(bus, &q, reader);
}

static void do_signal(enum signal_kind kind, const char **word)
{
	const struct signal s = {.kind = kind,
				 .room = slice_of(word[1]),
				 .nick = slice_of(word[2]),
				 .text = slice_of(word[3]),
				 .instance = slice_of(instance),
				 .ticket = 17};

	bus->signal(bus, &s);
}

static void do_holder(const char **word)
{
	char hash[TOKEN_HASH_LEN + 1], at[INSTANCE_MAX];
	bool here;

	if (bus->holder(bus, slice_of(word[1]), hash, at, &here))
		say("holder %s %.8s %s %s", word[1], hash, at,
		    here ? "here" : "left");
	else
		say("holder %s nobody", word[1]);
}

static void do_instances(void)
{
	static struct bus_instance list[64];
	const unsigned count = bus->instances(bus, list, 64);

	for (unsigned i = 0; i < count; i++)
		say("instance %s clients=%u rooms=%u", list[i].id,
		    list[i].clients, list[i].rooms);
	say("instances %u", count);
}

static void do_rooms(void)
{
	static struct bus_room list[64];
	const unsigned count = bus->rooms(bus, list, 64);

	for (unsigned i = 0; i < count; i++)
		say("room %s here=%u topic=%s", list[i].name, list[i].here,
		    list[i].topic);
	say("rooms %u", count);
}

static void do_shards(void)
{
	static struct bus_shard list[64];
	const unsigned count = bus->shards(bus, list, 64);

	for (unsigned i = 0; i < count; i++)
		say("shard %s %u-%u rooms=%u", list[i].node, list[i].first_slot,
		    list[i].last_slot, list[i].rooms);
	say("shards %u", count);
}

static bool run(const char **word)
{
	if (!strcmp(word[0], "follow"))
		bus->follow(bus, slice_of(word[1]));
	else if (!strcmp(word[0], "unfollow"))
		bus->unfollow(bus, slice_of(word[1]));
	else if (!strcmp(word[0], "post"))
		do_post(word, false);
	else if (!strcmp(word[0], "retry"))
		do_post(word, true);
	else if (!strcmp(word[0], "read"))
		do_read(word);
	else if (!strcmp(word[0], "claim"))
		bus->claim(bus, slice_of(word[1]), slice_of(word[2]), 1);
	else if (!strcmp(word[0], "release"))
		bus->release(bus, slice_of(word[1]), slice_of(word[2]),
			     !strcmp(word[3], "keep"));
	else if (!strcmp(word[0], "join"))
		do_signal(SIGNAL_JOIN, word);
	else if (!strcmp(word[0], "part"))
		do_signal(SIGNAL_PART, word);
	else if (!strcmp(word[0], "nick"))
		do_signal(SIGNAL_NICK, word);
	else if (!strcmp(word[0], "topic"))
		do_signal(SIGNAL_TOPIC, word);
	else if (!strcmp(word[0], "kick"))
		do_signal(SIGNAL_KICK, word);
	else if (!strcmp(word[0], "holder"))
		do_holder(word);
	else if (!strcmp(word[0], "instances"))
		do_instances();
	else if (!strcmp(word[0], "rooms"))
		do_rooms();
	else if (!strcmp(word[0], "shards"))
		do_shards();
	else
		return false;
	return true;
}

static void read_commands(void)
{
	char line[8192];

	while (fgets(line, sizeof(line), stdin)) {
		const char *word[6] = {"", "", "", "", "", ""};
		char *save = NULL;
		unsigned count = 0;

		line[strcspn(line, "\n")] = '\0';
		for (char *at = strtok_r(line, " ", &save); at && count < 6;
		     at = strtok_r(NULL, " ", &save))
			word[count++] = at;
		if (!strcmp(word[1], "-"))
			word[1] = ""; /* no room */
		if (!run(word))
			say("error what? %s", word[0]);
	}
}

static unsigned read_nodes(char *text, struct slot_node *nodes, unsigned max)
{
	unsigned count = 0;
	char *save = NULL;

	for (char *at = strtok_r(text, ",", &save); at && count < max;
	     at = strtok_r(NULL, ",", &save)) {
		char *colon = strrchr(at, ':');

		*colon = '\0';
		snprintf(nodes[count].host, sizeof(nodes[count].host), "%s",
			 at);
		nodes[count++].port = (uint16_t)atoi(colon + 1);
	}
	return count;
}

static void open_store(const char *path, struct report *report)
{
	const struct store_options options = {.path = path, .retry_ms = 200};
	char why[256];

	if (store_new(&store, &options, report, why, sizeof(why)) != 0)
		say("refused: %s", why);
}

int main(int argc, char **argv)
{
	struct slot_node nodes[8];
	struct bus_options options = {.nodes = nodes,
				      .password = getenv("BUS_PASSWORD"),
				      .prefix = getenv("BUS_PREFIX"),
				      .stream_max = 10000,
				      .address = "127.0.0.1:9001",
				      .version = "test"};
	struct report *report;
	char why[256];

	if (argc < 4 || report_new(&report, NULL) != 0)
		return 2;
	options.instance = instance = argv[1];
	options.cluster = !strcmp(argv[2], "cluster");
	options.node_count = read_nodes(argv[3], nodes, 8);
	if (argc > 4)
		open_store(argv[4], report);
	if (bus_redis_new(&bus, &options, &hub, store, report, why,
			  sizeof(why)) != 0) {
		say("refused: %s", why);
		return 1;
	}
	say("ready");
	read_commands();
	bus->stop(bus);
	if (store)
		store->free(store);
	bus->free(bus);
	report_free(report);
	return 0;
}
