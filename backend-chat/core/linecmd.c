/* SPDX-License-Identifier: MIT */
/* See linecmd.h. */
#include "core/linecmd.h"
#include "core/name.h"
#include "frame.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What may follow the word, and where it goes. */
enum takes {
	TAKES_NOTHING,
	TAKES_ROOM,
	TAKES_ROOM_OR_NOTHING,
	TAKES_NICK,
	TAKES_NICK_TEXT,
	TAKES_TEXT,
	TAKES_TOPIC,
	TAKES_COUNT,
};

static const struct command {
	const char *name;
	enum linecmd what;
	enum takes takes;
	const char *help, *refusal;
} commands[] = {
	{"help", LINECMD_HELP, TAKES_NOTHING, "/help  this list",
	 "/help takes nothing behind it"},
	{"join", LINECMD_JOIN, TAKES_ROOM, "/join ROOM  goes to another room",
	 "/join ROOM: a room is 1 to 64 letters, digits, _ - ."},
	{"rooms", LINECMD_ROOMS, TAKES_NOTHING, "/rooms  the rooms",
	 "/rooms takes nothing behind it"},
	{"who", LINECMD_WHO, TAKES_ROOM_OR_NOTHING,
	 "/who [ROOM]  who is in the room",
	 "/who [ROOM]: a room is 1 to 64 letters, digits, _ - ."},
	{"msg", LINECMD_MSG, TAKES_NICK_TEXT,
	 "/msg NICK TEXT  says it to NICK alone",
	 "/msg NICK TEXT: a nick and a text are needed, nothing was said"},
	{"me", LINECMD_ME, TAKES_TEXT, "/me TEXT  says what you do",
	 "/me TEXT: a text is needed"},
	{"nick", LINECMD_NICK, TAKES_NICK, "/nick NAME  takes a name",
	 "/nick NAME: a name is 1 to 32 letters, digits, _ - ."},
	{"topic", LINECMD_TOPIC, TAKES_TOPIC,
	 "/topic [TEXT]  shows or sets the topic",
	 "/topic TEXT: a topic is at most 200 bytes of text"},
	{"history", LINECMD_HISTORY, TAKES_COUNT,
	 "/history [N]  the last N lines, 20 if not told, at most 200",
	 "/history [N]: N is a number from 1"},
	{"server", LINECMD_SERVER, TAKES_NOTHING,
	 "/server  which instance this is", "/server takes nothing behind it"},
	{"quit", LINECMD_QUIT, TAKES_NOTHING, "/quit  leaves",
	 "/quit takes nothing behind it"},
	{"json", LINECMD_JSON, TAKES_NOTHING,
	 "/json  JSON objects from here on, for programs",
	 "/json takes nothing behind it"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The letters at the start of s if a space or the end follows, else nothing. */
static struct slice first_word(struct slice s)
{
	size_t len = 0;

	while (len < s.len && is_letter(s.at[len]))
		len++;
	if (len < s.len && s.at[len] != ' ')
		len = 0;
	return (struct slice){s.at, len};
}

static const struct command *find(struct slice word)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (slice_equal_case(word, slice_of(commands[i].name)))
			return &commands[i];
	return NULL;
}

/* "[NICK] " at the start of the line: nothing within but brackets' content. */
static void find_prefix(struct slice line, struct linecmd_line *out)
{
	const char *end;
	size_t len;

	if (line.len < 4 || line.at[0] != '[')
		return;
	end = memchr(line.at, ']', line.len);
	if (!end)
		return;
	len = (size_t)(end - line.at) + 1;
	if (len < 3 || len == line.len || line.at[len] != ' ')
		return;
	out->prefix = (struct slice){line.at, len + 1};
	out->nick = (struct slice){line.at + 1, len - 2};
	if (!name_is_valid(out->nick))
		out->nick = (struct slice){NULL, 0};
}

/* Takes the first word (up to a space) off *s, which is then trimmed. */
static struct slice take_word(struct slice *s)
{
	struct slice word = *s;
	const char *space = s->len ? memchr(s->at, ' ', s->len) : NULL;

	if (space)
		word.len = (size_t)(space - s->at);
	*s = slice_trim(slice_from(*s, word.len));
	return word;
}

/* What follows the command's word; false if it is not what it takes. */
static bool take_rest(struct linecmd_line *out, enum takes takes,
		      struct slice rest)
{
	unsigned long count = LINECMD_HISTORY_DEFAULT;

	switch (takes) {
	case TAKES_NOTHING: return rest.len == 0;
	case TAKES_ROOM_OR_NOTHING:
		if (rest.len == 0)
			return true;
		out->name = rest;
		return name_is_room(rest);
	case TAKES_ROOM: out->name = rest; return name_is_room(rest);
	case TAKES_NICK: out->name = rest; return name_is_valid(rest);
	case TAKES_NICK_TEXT:
		out->name = take_word(&rest);
		out->text = rest;
		return name_is_valid(out->name) && rest.len > 0;
	case TAKES_TEXT: out->text = rest; return rest.len > 0;
	case TAKES_TOPIC: out->text = rest; return name_is_topic(rest);
	case TAKES_COUNT:
		if (rest.len &&
		    (rest.len > 9 || !slice_number(rest, 999999999, &count) ||
		     count == 0))
			return false;
		out->count = count < LINECMD_HISTORY_MAX ? (unsigned)count
							 : LINECMD_HISTORY_MAX;
		return true;
	}
	return false;
}

void linecmd_parse(struct slice line, struct linecmd_line *out)
{
	const struct command *command;
	struct slice word;

	*out = (struct linecmd_line){.what = LINECMD_NONE};
	find_prefix(line, out);
	out->text = slice_from(line, out->prefix.len);
	if (out->text.len < 2 || out->text.at[0] != '/')
		return;
	if (out->text.at[1] == '/') {
		out->slash_taken = find(first_word(slice_from(out->text, 2)));
		out->text = slice_from(out->text, out->slash_taken);
		return;
	}
	word = first_word(slice_from(out->text, 1));
	if (word.len == 0)
		return;
	command = find(word);
	if (command) {
		struct slice rest =
			slice_trim(slice_from(out->text, 1 + word.len));

		out->text = (struct slice){NULL, 0};
		out->what = command->what;
		if (take_rest(out, command->takes, rest))
			return;
		out->refusal = command->refusal;
	}
	out->what = LINECMD_REFUSED;
	out->name = word;
}

void linecmd_put(struct writer *w, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	writer_printf(w, CHAT_SERVER_NICK "%s\n", line);
}

void linecmd_put_refusal(struct writer *w, const struct linecmd_line *line)
{
	if (line->refusal)
		linecmd_put(w, "%s", line->refusal);
	else
		linecmd_put(w,
			    "there is no command /%.*s, so this was not said; "
			    "/help lists the commands",
			    (int)(line->name.len < 40 ? line->name.len : 40),
			    line->name.at);
}

void linecmd_put_help(struct writer *w)
{
	for (size_t i = 0; i < COMMANDS; i++)
		linecmd_put(w, "%s", commands[i].help);
	linecmd_put(w, "//help  says \"/help\", and so for each of these");
}

void linecmd_put_joined(struct writer *w, struct slice room, unsigned here,
			struct slice topic)
{
	linecmd_put(w, "you are in %.*s, %u here%s%.*s", SLICE_ARG(room), here,
		    topic.len ? ": " : "", SLICE_ARG(topic));
}

static int compare(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.at, b.at, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_rooms(const void *a, const void *b)
{
	return compare(((const struct linecmd_room *)a)->name,
		       ((const struct linecmd_room *)b)->name);
}

static int compare_people(const void *a, const void *b)
{
	return compare(((const struct linecmd_person *)a)->nick,
		       ((const struct linecmd_person *)b)->nick);
}

/* The line behind a list that was cut, or that is empty. */
static void put_rest(struct writer *w, size_t count, size_t max,
		     const char *none)
{
	if (count > max)
		linecmd_put(w, "... and %zu more", count - max);
	if (count == 0)
		linecmd_put(w, "%s", none);
}

void linecmd_put_rooms(struct writer *w, struct linecmd_room *rooms,
		       size_t count)
{
	if (count)
		qsort(rooms, count, sizeof(*rooms), compare_rooms);
	for (size_t i = 0; i < count && i < LINECMD_ROOMS_MAX; i++)
		linecmd_put(w, "%.*s %u here%s%.*s", SLICE_ARG(rooms[i].name),
			    rooms[i].here, rooms[i].topic.len ? " " : "",
			    SLICE_ARG(rooms[i].topic));
	put_rest(w, count, LINECMD_ROOMS_MAX, "there is no room");
}

void linecmd_put_who(struct writer *w, struct linecmd_person *people,
		     size_t count, unsigned unnamed)
{
	if (count)
		qsort(people, count, sizeof(*people), compare_people);
	for (size_t i = 0; i < count && i < LINECMD_WHO_MAX; i++)
		linecmd_put(w, "%.*s %.*s", SLICE_ARG(people[i].nick),
			    SLICE_ARG(people[i].instance));
	if (count || !unnamed)
		put_rest(w, count, LINECMD_WHO_MAX, "nobody is here");
	if (unnamed)
		linecmd_put(w, "%u others have no name", unnamed);
}

void linecmd_put_history_head(struct writer *w, struct slice room,
			      unsigned count)
{
	linecmd_put(w, "last %u of %.*s", count, SLICE_ARG(room));
}

void linecmd_put_history_end(struct writer *w)
{
	linecmd_put(w, "end of history");
}

void linecmd_put_topic(struct writer *w, struct slice room, struct slice topic)
{
	if (topic.len)
		linecmd_put(w, "%.*s: %.*s", SLICE_ARG(room), SLICE_ARG(topic));
	else
		linecmd_put(w, "%.*s has no topic", SLICE_ARG(room));
}

void linecmd_put_nick(struct writer *w, struct slice name,
		      struct slice proposal)
{
	if (proposal.len)
		linecmd_put(w, "%.*s is taken, try %.*s", SLICE_ARG(name),
			    SLICE_ARG(proposal));
	else
		linecmd_put(w, "you are %.*s", SLICE_ARG(name));
}

void linecmd_put_absent(struct writer *w, struct slice nick, bool kept)
{
	linecmd_put(w, "%.*s is not here%s", SLICE_ARG(nick),
		    kept ? ", it is kept for 24 hours" : "");
}

void linecmd_put_server(struct writer *w, const struct linecmd_server *s)
{
	linecmd_put(w, "instance %.*s", SLICE_ARG(s->instance));
	linecmd_put(w, "uptime %" PRIu64 " s", s->uptime_s);
	linecmd_put(w, "redis %.*s", SLICE_ARG(s->redis));
	linecmd_put(w, "wire lines");
	linecmd_put(w, "clients %u", s->clients);
}
