/* SPDX-License-Identifier: MIT */
/* See presence.h. */
#include "core/presence.h"

#include <errno.h>
#include <stdlib.h>

#define RENAMED_MAX ((size_t)1024 * 1024)

void presence_init(struct presence *p)
{
	*p = (struct presence){.quiet_ms = INT64_MAX};
	writer_init(&p->renamed, RENAMED_MAX);
}

void presence_free(struct presence *p)
{
	for (unsigned i = 0; i < p->count; i++)
		free(p->people[i]);
	free(p->people);
	writer_free(&p->renamed);
	presence_init(p);
}

/* Order of nicks: ASCII letters of either case are the same. */
static int compare(struct slice a, const char *b)
{
	char one[NAME_MAX_BYTES], two[NAME_MAX_BYTES];

	name_key(a, one);
	name_key(slice_of(b), two);
	return strcmp(one, two);
}

/* The index of nick, or where it would be. */
static unsigned place_of(const struct presence *p, struct slice nick,
			 bool *found)
{
	unsigned low = 0, high = p->count;

	*found = false;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		int order = compare(nick, p->people[middle]->nick);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static struct presence_person *find(const struct presence *p, struct slice nick)
{
	bool found;
	unsigned i = place_of(p, nick, &found);

	return found ? p->people[i] : NULL;
}

static bool has_room(struct presence *p)
{
	unsigned capacity = p->capacity ? p->capacity * 2 : 8;
	struct presence_person **people;

	if (p->count < p->capacity)
		return true;
	if (p->count >= PRESENCE_MAX)
		return false;
	people =
		realloc(p->people, capacity * sizeof(struct presence_person *));
	if (!people)
		return false;
	p->people = people;
	p->capacity = capacity;
	return true;
}

static struct presence_person *add(struct presence *p, struct slice nick)
{
	bool found;
	unsigned i = place_of(p, nick, &found);
	struct presence_person *person =
		has_room(p) ? calloc(1, sizeof(*person) + nick.len + 1) : NULL;

	if (!person)
		return NULL;
	memcpy(person->nick, nick.at, nick.len);
	memmove(&p->people[i + 1], &p->people[i],
		(p->count - i) * sizeof(struct presence_person *));
	p->people[i] = person;
	p->count++;
	p->here++;
	return person;
}

/* Frees the person of that index. */
static void drop(struct presence *p, unsigned i)
{
	p->here -= p->people[i]->quiet_ms == 0;
	free(p->people[i]);
	p->count--;
	memmove(&p->people[i], &p->people[i + 1],
		(p->count - i) * sizeof(struct presence_person *));
}

static bool is_at(const struct presence_person *person, struct slice instance)
{
	return slice_equal(slice_of(person->instance), instance);
}

static void move_to(struct presence_person *person, struct slice instance)
{
	size_t len =
		instance.len < INSTANCE_MAX ? instance.len : INSTANCE_MAX - 1;

	if (len > 0)
		memcpy(person->instance, instance.at, len);
	person->instance[len] = '\0';
}

static void has_news(struct presence *p, int64_t now_ms)
{
	if (p->batch_ms == 0)
		p->batch_ms = now_ms + PRESENCE_BATCH_MS;
}

int presence_join(struct presence *p, struct slice nick, struct slice instance,
		  int64_t now_ms)
{
	struct presence_person *person = find(p, nick);

	if (!person) {
		person = add(p, nick);
		if (!person)
			return -ENOMEM;
		has_news(p, now_ms);
	}
	if (person->quiet_ms) {
		person->quiet_ms = 0;
		p->here++;
	} else if (is_at(person, instance)) {
		person->connections++;
		return 0;
	}
	person->connections = 1;
	move_to(person, instance);
	return 0;
}

static void be_quiet(struct presence *p, struct presence_person *person,
		     int64_t now_ms)
{
	if (person->quiet_ms)
		return;
	person->connections = 0;
	person->quiet_ms = now_ms > 0 ? now_ms : 1;
	p->here--;
	if (p->quiet_ms > person->quiet_ms + PRESENCE_QUIET_MS)
		p->quiet_ms = person->quiet_ms + PRESENCE_QUIET_MS;
}

void presence_part(struct presence *p, struct slice nick, struct slice instance,
		   int64_t now_ms)
{
	struct presence_person *person = find(p, nick);

	if (person && is_at(person, instance) && person->connections > 0 &&
	    --person->connections == 0)
		be_quiet(p, person, now_ms);
}

/* {"from":"lan","to":"linh"} */
static void put_renamed(struct presence *p, struct slice from, struct slice to)
{
	struct writer *w = &p->renamed;

	writer_printf(w, "%s{\"from\":", w->len ? "," : "");
	writer_put_json(w, from);
	writer_printf(w, ",\"to\":");
	writer_put_json(w, to);
	writer_put(w, "}", 1);
}

int presence_rename(struct presence *p, struct slice from, struct slice to,
		    struct slice instance, int64_t now_ms)
{
	bool found, announced;
	unsigned i = place_of(p, from, &found);
	int error;

	/* It stays if it is elsewhere by now, or has another connection. */
	found = found && is_at(p->people[i], instance);
	if (found && p->people[i]->connections > 1) {
		p->people[i]->connections--;
		found = false;
	}
	announced = found && p->people[i]->announced;
	if (found)
		drop(p, i);
	error = presence_join(p, to, instance, now_ms);
	if (error || !announced)
		return error;
	put_renamed(p, from, to);
	find(p, to)->announced = true;
	has_news(p, now_ms);
	return 0;
}

void presence_instance_gone(struct presence *p, struct slice instance,
			    int64_t now_ms)
{
	for (unsigned i = 0; i < p->count; i++)
		if (is_at(p->people[i], instance))
			be_quiet(p, p->people[i], now_ms);
}

int64_t presence_deadline(const struct presence *p)
{
	return p->batch_ms && p->batch_ms < p->quiet_ms ? p->batch_ms
							: p->quiet_ms;
}

static void put_nick(struct writer *w, unsigned *count, const char *nick)
{
	if ((*count)++)
		writer_put(w, ",", 1);
	writer_put_json(w, slice_of(nick));
}

/* Each nick that came and was not announced. */
static unsigned put_joins(struct presence *p, struct writer *w)
{
	unsigned count = 0;

	for (unsigned i = 0; i < p->count; i++) {
		if (p->people[i]->announced)
			continue;
		p->people[i]->announced = true;
		put_nick(w, &count, p->people[i]->nick);
	}
	return count;
}

/* Removes and names those that were quiet for long enough. */
static unsigned put_parts(struct presence *p, int64_t now_ms, struct writer *w)
{
	unsigned count = 0, i = 0;

	p->quiet_ms = INT64_MAX;
	while (i < p->count) {
		const struct presence_person *person = p->people[i];
		int64_t end = person->quiet_ms + PRESENCE_QUIET_MS;

		if (person->quiet_ms && end <= now_ms) {
			put_nick(w, &count, person->nick);
			drop(p, i);
			continue;
		}
		if (person->quiet_ms && end < p->quiet_ms)
			p->quiet_ms = end;
		i++;
	}
	return count;
}

bool presence_batch(struct presence *p, struct slice room, int64_t now_ms,
		    struct writer *w)
{
	const size_t start = w->len;
	unsigned news;

	if (now_ms < presence_deadline(p))
		return false;
	p->batch_ms = 0;
	writer_printf(w, "{\"t\":\"presence\",\"room\":");
	writer_put_json(w, room);
	writer_printf(w, ",\"join\":[");
	news = put_joins(p, w);
	writer_printf(w, "],\"part\":[");
	news += put_parts(p, now_ms, w);
	writer_printf(w, "],\"nick\":[");
	news += p->renamed.len > 0;
	writer_put_slice(w, writer_slice(&p->renamed));
	writer_free(&p->renamed);
	writer_put_slice(w, SLICE("]}"));
	if (news == 0)
		w->len = start; /* all came back in time */
	return news > 0;
}
