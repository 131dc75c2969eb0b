/* SPDX-License-Identifier: MIT */
/*
 * The bus over Redis, for its own files only:
 *   bus_redis.c   the thread, its start and its end
 *   bus_calls.c   the calls of bus.h, in the threads of those who call
 *   bus_room.c    rooms: their logs as they come, what the hub is told
 *   bus_channel.c the channels, and what comes there
 *   bus_read.c    pages of a log for those who ask
 *   bus_post.c    what is said, until it has an id
 *   bus_signal.c  what is told to all instances and is in no log
 *   bus_lease.c   which instances live
 *   bus_nick.c    who wants a nick, and who has it no more
 *   bus_nick_list.c  who holds one, as far as is known here
 *   bus_who.c     who is in which room, which rooms there are
 *   bus_hash.c    what these three share
 *   bus_archive.c what the store lacks
 *
 * One thread owns all of it. Other threads put tasks into a list and read what
 * is guarded by the lock.
 */
#ifndef CHAT_BUS_REDIS_H
#define CHAT_BUS_REDIS_H

#include "core/merge.h"
#include "core/presence.h"
#include "core/room.h"
#include "core/writer.h"
#include "io/bus.h"
#include "io/redis.h"
#include "io/redis_scripts.h"
#include "io/report.h"
#include "io/sink.h"
#include "io/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define OUTBOX_BYTES	 ((size_t)4 * 1024 * 1024)
#define POST_BATCH	 64
#define POST_PATIENCE_MS REDIS_STALL_MS
#define OPEN_PATIENCE_MS 2000
#define ASK_PATIENCE_MS	 3000  /* of questions */
#define LOOK_MS		 5000  /* a room looks for what it was not told */
#define LOST_MS		 200   /* the echo of a post is late: look */
#define KEEP_MS		 60000 /* a room that nobody follows any more */
#define LEASE_MS	 2000
#define LEASE_END_MS	 10000
#define LEASE_HELD_MS	 5000 /* so long a name belongs to its last run */
#define PEERS_MAX	 64
#define SHARDS_MAX	 256
#define KEY_MAX		 (ROOM_MAX_BYTES + 128)
#define HASH_SIZE	 1024
#define NICKS_MAX	 20000

struct bus_redis;

/* A message on its way. */
struct post {
	struct post *next;
	struct msg *msg; /* owned */
	uint64_t ticket;
	int64_t since_ms;
	/* To be looked up first: a lost answer, or a client's retry. */
	bool in_log, in_store;
	bool told; /* said to the room without an id */
};

struct person {
	struct person *next;
	unsigned connections; /* of this instance */
	char instance[INSTANCE_MAX];
	int64_t since_ms; /* there is news of it */
	bool found;	  /* in the list that is compared */
	char nick[];
};

enum follow_state { FOLLOW_NOT, FOLLOW_ASKED, FOLLOW_ON };

/* A channel: of a room, or the one of all instances. */
struct channel {
	enum follow_state state;
	struct redis_node *node; /* where */
	int64_t ms;		 /* asked at; not: to be asked then */
};

struct room_log {
	struct room_log *next;
	struct bus_redis *bus;
	char name[ROOM_MAX_BYTES];
	bool followed;	 /* by the hub */
	int64_t keep_ms; /* until then without it */
	unsigned asked;	 /* questions on their way: it may not be freed */

	struct channel channel;
	struct merge merge;
	bool begun; /* the first page came */
	bool page_asked;
	bool page_is_last; /* it is of the last entries of the log */
	unsigned question; /* of the merge */
	int64_t looked_ms; /* when a page was asked for last */
	int64_t page_ms;   /* not before then is another one asked for */

	bool opened; /* the hub was told */
	/* ... but not what is in the log: since then, with that head */
	bool blind;
	int64_t blind_ms;
	struct msgid blind_head;
	int64_t wanted_ms; /* when follow() was called */
	bool meta_asked, has_meta;
	bool store_asked;
	char topic[TOPIC_MAX + 1];
	bool listed; /* in the directory */
	struct msg *recent[ROOM_RING];
	unsigned recent_count;

	struct post *posts, **posts_end;
	unsigned flying;      /* of them, the first ones: with Redis */
	bool degraded;	      /* what is said is told at once, without an id */
	int64_t post_ms;      /* not before then is posted again */
	int64_t progress_ms;  /* when one got its id, or the first came */
	struct msgid written; /* of the first that flies: replicas get it */
	struct msgid posted;
	int64_t posted_ms;

	/* Up to here the store has what there was, once it has_archive. */
	struct msgid archived;
	bool has_archive, archiving;

	struct person *people; /* of this instance */
	unsigned people_count;
	unsigned listed_count; /* as in the directory */
	struct person *others; /* of other instances, as the hub was told */
	bool who_asked;
	int64_t who_ms; /* when to compare with the list in Redis */
};

struct peer {
	struct bus_instance of;
	char run[33];
	int64_t ms;	 /* Redis' time of its lease */
	int64_t seen_ms; /* our time when that changed */
	bool found;	 /* in the last answer */
	bool awaited;	 /* Redis has lost its lease: it will renew it */
};

struct known_nick {
	struct known_nick *next;
	char hash[TOKEN_HASH_LEN + 1], instance[INSTANCE_MAX];
	int64_t left_ms; /* Redis' time; 0: connected */
	unsigned claims; /* of this instance */
	bool found;
	/* Of the change of {chat}:nicks that made it so (redis_scripts.h). */
	uint64_t number;
	char key[NAME_MAX_BYTES];
};

struct task {
	struct task *next;
	void (*run)(struct bus_redis *b, struct task *t);
	struct msg *msg; /* a reference */
	struct msg **items;
	unsigned count;
	bool flag;
	bool sure; /* a claim: the leases were read for it */
	uint64_t ticket;
	struct page_question question;
	struct page_reader reader;
	struct signal signal;
	struct slice name, hash; /* into .text, as are the others */
	char text[];
};

struct bus_redis {
	struct bus bus;
	struct bus_options options; /* with copies of their own */
	struct hub *hub;     /* NULL while it shall not be told anything */
	struct store *store; /* may be NULL */
	struct report *report;
	pthread_t thread;
	int wake_fd;
	uint64_t hash_key;
	char run[33]; /* names this process */

	pthread_mutex_t lock; /* guards from here ... */
	struct task *tasks, **tasks_end;
	bool stopping;
	enum bus_state state;
	struct bus_instance instances[PEERS_MAX];
	unsigned instance_count;
	struct bus_shard shards[SHARDS_MAX];
	unsigned shard_count;
	struct bus_room *directory; /* owned */
	unsigned directory_count;
	struct known_nick *nicks[HASH_SIZE];
	unsigned nick_count; /* ... to here */

	atomic_size_t outbox_bytes;

	/* Of the thread. */
	struct redis *redis;
	struct redis_options redis_options;
	struct redis_script scripts[SCRIPTS];
	struct redis_events events;
	struct room_log *rooms[HASH_SIZE];
	unsigned room_count;
	struct channel channel; /* {chat}:ch */
	bool classic;		/* no sharded pub/sub here */
	bool ending;
	int64_t began_ms;
	unsigned degraded; /* rooms */
	int64_t now_ms, tick_ms, trouble_ms;
	int64_t lease_ms, lease_ok_ms; /* next; last answer */
	int64_t redis_ms, redis_at_ms; /* its time, and ours of then */
	bool has_lease, lease_held, lease_asked;
	bool has_peers, has_directory;	/* they were read */
	int64_t peers_ms;		/* when they were read last */
	int64_t nicks_ms, directory_ms; /* when to read them again */
	struct peer peers[PEERS_MAX];
	unsigned peer_count;
	struct task *claims; /* wait until the peers are known */
	unsigned claims_under_way;
	/* The greatest number of a change of the nicks that is known; the same
	 * when all of them were asked for last. */
	uint64_t nicks_number, nicks_asked;
	bool nicks_under_way; /* the answer to that has not come */
	int64_t archive_ms;   /* when to look through all rooms */
	bool store_failed;
	struct archive_job *jobs, *jobs_last;
	unsigned directory_at; /* rooms of it that were looked at */
};

/* ------------------------------------------------------------- helpers */

static inline struct bus_redis *bus_redis(struct bus *b)
{
	return (struct bus_redis *)b;
}

/* "{ROOM}:SUFFIX", with the prefix within the tag. */
struct slice bus_key(const struct bus_redis *b, struct slice room,
		     const char *suffix, char out[KEY_MAX]);
/* A command with that key. Counts it as a question of the room, if there is
 * one, which done() gets as arg.
 */
int bus_send(struct bus_redis *b, const struct redis_command *command);
/* A script: its key, its arguments. patience_ms, once: as redis_command. */
int bus_script(struct bus_redis *b, enum script script,
	       const struct redis_command *command);
/* Nobody waits for the answer. */
void bus_tell(struct bus_redis *b, struct slice key, unsigned argc,
	      const struct slice *argv);
/* Of a reply; empty if it is no text. */
struct slice reply_text(const redisReply *reply);
bool reply_is_list(const redisReply *reply, size_t at_least);
/* One line for the operator, at most each minute. */
void bus_trouble(struct bus_redis *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Rooms are looked at in that time at the latest. */
void bus_soon(struct bus_redis *b, int64_t ms);

struct task *task_new(struct bus_redis *b,
		      void (*run)(struct bus_redis *b, struct task *t),
		      struct slice name, struct slice hash);
void task_free(struct task *t);
/* For any thread. */
void bus_enqueue(struct bus_redis *b, struct task *t);

/* --------------------------------------------------------------- calls */

void bus_calls_bind(struct bus *bus);

/* --------------------------------------------------------------- rooms */

struct room_log *bus_room_find(struct bus_redis *b, struct slice name);
/* NULL: no memory. */
struct room_log *bus_room_get(struct bus_redis *b, struct slice name);
void bus_room_free(struct bus_redis *b, struct room_log *r);
void bus_room_follow(struct bus_redis *b, struct room_log *r);
/* Does what is due. */
void bus_room_attend(struct bus_redis *b, struct room_log *r);
/* Something may be missing. */
void bus_room_look(struct room_log *r);
/* What the store answers, for the bus' own thread. NULL: no memory. */
struct task *bus_page_task(struct bus_redis *b, const struct page *page,
			   void (*run)(struct bus_redis *b, struct task *t));
/* "ID BODY" of its channel. */
void bus_room_live(struct bus_redis *b, struct room_log *r,
		   struct slice payload);
bool bus_is_reachable(struct bus_redis *b, struct slice room);

/* ------------------------------------------------------------ channels */

void bus_channel_attend(struct bus_redis *b, struct channel *c,
			struct slice room, bool wanted);
void bus_on_push(void *arg, struct redis_node *node, const redisReply *reply);
void bus_on_subscriber(void *arg, struct redis_node *node);
void bus_on_subscriber_lost(void *arg, struct redis_node *node);

/* --------------------------------------------------------------- pages */

/* A message of the log as Redis gives it. NULL: it cannot be read. */
struct msg *bus_entry(struct bus_redis *b, const redisReply *entry);
void bus_read(struct bus_redis *b, struct task *t);

/* --------------------------------------------------------------- posts */

void bus_post(struct bus_redis *b, struct task *t);
void bus_posts_attend(struct bus_redis *b, struct room_log *r);
void bus_posts_free(struct bus_redis *b, struct room_log *r);

/* ------------------------------------------------------------- signals */

void bus_signal(struct bus_redis *b, const struct signal *s);
/* Of a channel. */
void bus_signal_take(struct bus_redis *b, struct slice json);
/* Something of ours to all instances. */
struct slice bus_publish_word(const struct bus_redis *b);
void bus_publish(struct bus_redis *b, struct slice room, struct slice payload);
/* Others shall look into the log of the room. */
void bus_look_notice(struct bus_redis *b, struct slice room);
/* A change of a nick, with its number. */
void bus_nick_notice(struct bus_redis *b, const char *kind, struct slice nick,
		     struct slice hash, uint64_t number);

/* The same, for a script to publish; .text is the caller's to free. */
struct nick_words {
	struct slice word[3];
	struct writer text;
	char channel[KEY_MAX];
};

void bus_nick_words(struct bus_redis *b, const char *kind, struct slice nick,
		    struct slice hash, struct nick_words *out);

/* -------------------------------------------------------------- hashes */

bool bus_chat_is_reachable(struct bus_redis *b);
/* "{chat}:SUFFIX" */
struct slice bus_chat_key(struct bus_redis *b, const char *suffix,
			  char out[KEY_MAX]);
/* HGETALL; done() gets arg. */
int bus_ask_all(struct bus_redis *b, struct slice key, redis_done *done,
		void *arg);
/* Drops a field if nobody changed it meanwhile. */
void bus_drop_field(struct bus_redis *b, struct slice key, struct slice field,
		    struct slice value);
void bus_copy(char *out, size_t size, struct slice text);
bool bus_is_ours(const struct bus_redis *b, struct slice instance);
/* Redis' clock in ms, about. */
int64_t bus_time(const struct bus_redis *b);

/* -------------------------------------------------------------- leases */

/* Does what is due of all that is about people. */
void bus_people_attend(struct bus_redis *b);
/* Redis has lost what we had told it, or may have. */
void bus_people_again(struct bus_redis *b);
/* The end: nobody shall wait for our lease to end. */
void bus_people_leave(struct bus_redis *b);
void bus_peers_read(struct bus_redis *b);
bool bus_peer_lives(const struct bus_redis *b, struct slice instance);

/* --------------------------------------------------------------- nicks */

void bus_claim(struct bus_redis *b, struct task *t);
void bus_release(struct bus_redis *b, struct task *t);
/* Those that waited for the leases. */
void bus_claims_run(struct bus_redis *b);
/* All nicks of this instance. */
void bus_claims_again(struct bus_redis *b);
/* Redis has lost this one. */
void bus_claim_again(struct bus_redis *b, const struct known_nick *n);
/*
 * Redis says that a nick is held here. Returns true if nobody here has it, and
 * Redis is told: its leave was lost, or an earlier run was killed.
 */
bool bus_leave_again(struct bus_redis *b, struct slice nick, struct slice hash);
bool bus_holder(struct bus *bus, struct slice nick, char *hash,
		char instance[INSTANCE_MAX], bool *here);
/*
 * A nick has a holder, or none, by the change of that number: what came later
 * than an older one is not undone. 0: Redis is away, or will tell it soon.
 */
void bus_nick_known(struct bus_redis *b, struct slice nick, struct slice hash,
		    struct slice instance, int64_t left_ms, uint64_t number);
void bus_nick_gone(struct bus_redis *b, struct slice nick, uint64_t number);
/* One connection more or less of this instance. Returns how many there were. */
unsigned bus_nick_count(struct bus_redis *b, struct slice nick,
			struct slice hash, int change);
/* A value of {chat}:nicks, and a number as the scripts give it. */
bool bus_nick_holder(struct slice value, struct slice *hash,
		     struct slice *instance, int64_t *left_ms);
uint64_t bus_nick_number(const redisReply *element);
void bus_nicks_read(struct bus_redis *b);
void bus_nicks_free(struct bus_redis *b);

/* ----------------------------------------------------- people and rooms */

/*
 * Somebody of this instance came into the room, or left. Returns true if it is
 * the first connection of that nick here, or the last one.
 */
bool bus_person(struct bus_redis *b, struct room_log *r, struct slice nick,
		bool comes);
/* The same of another instance. */
void bus_other(struct bus_redis *b, struct room_log *r, struct slice nick,
	       struct slice instance, bool comes);
void bus_renamed(struct bus_redis *b, struct room_log *r,
		 const struct signal *s);
/* An instance is dead. */
void bus_others_gone(struct bus_redis *b, struct slice instance);
void bus_people_free(struct room_log *r);
/* Compares with the list in Redis, if it is time. */
void bus_who(struct bus_redis *b, struct room_log *r);
/* Writes ours into the list and the directory once more. */
void bus_who_again(struct bus_redis *b, struct room_log *r);
void bus_who_leave(struct bus_redis *b, struct room_log *r);
void bus_list_room(struct bus_redis *b, struct room_log *r);
void bus_list_topic(struct bus_redis *b, struct slice room, struct slice topic);
void bus_directory_read(struct bus_redis *b);

/* ------------------------------------------------------------- archive */

void bus_archive_attend(struct bus_redis *b);
/* Before the room is followed, so that the store has no hole there. */
void bus_archive_room(struct bus_redis *b, struct room_log *r);
void bus_archive_free(struct bus_redis *b);

#endif
