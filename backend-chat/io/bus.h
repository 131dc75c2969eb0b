/* SPDX-License-Identifier: MIT */
/*
 * The bus: where messages get their ids and their one order, and how instances
 * hear of each other. bus_local.c is the one without Redis: one instance, in
 * this process. Whatever it is, a message is delivered when it comes back from
 * the bus (sink.h), so all instances have one order.
 *
 * All calls are for any thread and never block on the network: the answer comes
 * through sink.h, perhaps before the call returns. The caller must not hold a
 * lock that sink.h takes. Slices need not hold after the call.
 */
#ifndef CHAT_BUS_H
#define CHAT_BUS_H

#include "io/page.h"

struct hub;
struct store;

enum bus_state { BUS_OFF, BUS_UP, BUS_DOWN };

/* What is told to all instances and is in no log. Unused fields are empty. */
enum signal_kind {
	SIGNAL_JOIN,   /* .nick came into .room at .instance */
	SIGNAL_PART,   /* .nick left .room at .instance */
	SIGNAL_NICK,   /* .nick is .text from now on, in .room */
	SIGNAL_TOPIC,  /* .nick set the topic of .room to .text */
	SIGNAL_TYPING, /* .nick is typing in .room */
	SIGNAL_TAKEN,  /* .nick with token .hash is now at .instance, there as
			  connection .ticket: all others of it must end */
	SIGNAL_KICK,   /* .nick must end; .text: the reason */
	SIGNAL_BROADCAST, /* everybody is told .text */
	SIGNAL_GONE, /* the lease of .instance ended: its people are gone */
};

struct signal {
	enum signal_kind kind;
	struct slice room, nick, text, instance, hash;
	uint64_t ticket;
};

/* Of GET /api/instances. */
struct bus_instance {
	char id[INSTANCE_MAX];
	char address[128], version[32];
	unsigned clients, rooms;
	uint64_t uptime_s;
	int64_t seen_ms; /* since it was last heard of */
};

/* Of GET /api/instances in cluster mode: which node has which slots. */
struct bus_shard {
	char node[320]; /* HOST:PORT */
	unsigned first_slot, last_slot, rooms;
};

struct bus_room {
	char name[ROOM_MAX_BYTES], topic[TOPIC_MAX + 1];
	unsigned here; /* over all instances */
	bool e2ee;
};

struct bus {
	/*
	 * This instance has members in the room from now on. Answered by one
	 * hub_on_open(), then hub_on_message() for what comes after it. Returns
	 * 0 or -ENOMEM. Called once until unfollow().
	 */
	int (*follow)(struct bus *b, struct slice room);
	void (*unfollow)(struct bus *b, struct slice room);

	/*
	 * Posts m, which has no id, and takes the caller's only reference, also
	 * when it fails. The room need not be followed. Answered by
	 * hub_on_posted() with this ticket. retry: look for the mid first.
	 * Returns 0; -EAGAIN: Redis is down and the outbox is full; -ENOMEM.
	 * After an error there is no answer.
	 */
	int (*post)(struct bus *b, struct msg *m, bool retry, uint64_t ticket);

	/* Asks the log. Returns 0 or -ENOMEM; the reader is not called then. */
	int (*read)(struct bus *b, const struct page_question *question,
		    struct page_reader reader);

	/* Lost without memory or while Redis is down. */
	void (*signal)(struct bus *b, const struct signal *s);

	/*
	 * Asks for a nick, for the holder of a token with that hash. Answered
	 * by one hub_on_claimed() with this ticket. Returns 0 or -ENOMEM.
	 */
	int (*claim)(struct bus *b, struct slice nick, struct slice hash,
		     uint64_t ticket);
	/*
	 * One connection that claimed it has ended. keep: the token's holder
	 * may come back: for PRESENCE_QUIET_MS nobody else gets the nick, and
	 * its inbox stays for a day.
	 */
	void (*release)(struct bus *b, struct slice nick, struct slice hash,
			bool keep);
	/*
	 * Who holds a nick, as far as is known without asking. Returns false
	 * if nobody does. hash: TOKEN_HASH_LEN + 1 bytes. *here: it is
	 * connected, at instance.
	 */
	bool (*holder)(struct bus *b, struct slice nick, char *hash,
		       char instance[INSTANCE_MAX], bool *here);

	enum bus_state (*state)(struct bus *b);
	/*
	 * What is known of the other instances, of the nodes of a Redis
	 * Cluster, and of the rooms of all instances (0: only those of this one
	 * are known). Return how many of at most max.
	 */
	unsigned (*instances)(struct bus *b, struct bus_instance *out,
			      unsigned max);
	unsigned (*shards)(struct bus *b, struct bus_shard *out, unsigned max);
	unsigned (*rooms)(struct bus *b, struct bus_room *out, unsigned max);

	/*
	 * Says goodbye to others. When it returns, the bus asks the store and
	 * tells the hub nothing any more. Then the store is freed, whose last
	 * answers may still come to the bus, and then the bus.
	 */
	void (*stop)(struct bus *b);
	void (*free)(struct bus *b);
};

/*
 * One instance on its own. log: messages kept for each room, for readers that
 * lag and for resume; 0: none but the rings of rooms. Borrows hub, and store,
 * which may be NULL: then a log begins with each start.
 */
int bus_local_new(struct bus **out, struct hub *hub, struct store *store,
		  unsigned log);

struct report;
struct slot_node;

/* Everything is copied. */
struct bus_options {
	bool cluster;
	const struct slot_node *nodes; /* one, or some of the cluster */
	unsigned node_count;
	const char *password; /* NULL: none */
	const char *prefix;   /* of all keys; NULL: none */
	unsigned stream_max;  /* messages that a room's log keeps, about */
	unsigned wait; /* replicas that shall have a post before its ack */
	const char *instance; /* the name of this one */
	const char *address, *version;
};

/*
 * The instances that use one Redis, or one Redis Cluster, with one prefix.
 * Borrows hub, store (may be NULL) and report. Redis may be away: then the bus
 * begins in BUS_DOWN, and goes on when it comes. Returns 0 or -errno with one
 * sentence in why; -EEXIST: another instance of that name is alive, which may
 * take six seconds to find out.
 */
int bus_redis_new(struct bus **out, const struct bus_options *options,
		  struct hub *hub, struct store *store, struct report *report,
		  char *why, size_t why_len);

#endif
