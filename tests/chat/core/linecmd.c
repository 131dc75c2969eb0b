/* SPDX-License-Identifier: MIT */
/* The table of line commands: what a line is, and what is answered. */
#include "core/linecmd.h"
#include "core/name.h"

#include "unit.h"

#define NO LINECMD_NONE

static const struct {
	const char *line;
	enum linecmd what;
	const char *nick, *name, *text;
	unsigned count;
} lines[] = {
	/* Text. */
	{"", NO, "", "", "", 0},
	{"hello", NO, "", "", "hello", 0},
	{"[lan] hello", NO, "lan", "", "hello", 0},
	{"[lan] ", NO, "lan", "", "", 0},
	{"[lan]", NO, "", "", "[lan]", 0},
	{"[lan]hello", NO, "", "", "[lan]hello", 0},
	{"[] hello", NO, "", "", "[] hello", 0},
	{"[a b] hello", NO, "", "", "hello", 0},
	{"[chat_serv] x", NO, "", "", "x", 0},
	{"/", NO, "", "", "/", 0},
	{"/ ", NO, "", "", "/ ", 0},
	{"/ help", NO, "", "", "/ help", 0},
	{"/42", NO, "", "", "/42", 0},
	{"/usr/bin", NO, "", "", "/usr/bin", 0},
	{"/help.", NO, "", "", "/help.", 0},
	{"/help2", NO, "", "", "/help2", 0},
	{" /help", NO, "", "", " /help", 0},
	{"[lan]  /help", NO, "lan", "", " /help", 0},
	{"/\xc4\x91i", NO, "", "", "/\xc4\x91i", 0},
	{"//help", NO, "", "", "/help", 0},
	{"//HELP me", NO, "", "", "/HELP me", 0},
	{"[lan] //me x", NO, "lan", "", "/me x", 0},
	{"//comment", NO, "", "", "//comment", 0},
	{"//", NO, "", "", "//", 0},
	{"///help", NO, "", "", "///help", 0},
	/* Commands, alone and behind a prefix. */
	{"/help", LINECMD_HELP, "", "", "", 0},
	{"/HeLp ", LINECMD_HELP, "", "", "", 0},
	{"[lan] /help", LINECMD_HELP, "lan", "", "", 0},
	{"[a b] /help", LINECMD_HELP, "", "", "", 0},
	{"/join lobby", LINECMD_JOIN, "", "lobby", "", 0},
	{"/join   lobby  ", LINECMD_JOIN, "", "lobby", "", 0},
	{"/join ph\xc3\xb2ng-1", LINECMD_JOIN, "", "ph\xc3\xb2ng-1", "", 0},
	{"/rooms", LINECMD_ROOMS, "", "", "", 0},
	{"/who", LINECMD_WHO, "", "", "", 0},
	{"/who lobby", LINECMD_WHO, "", "lobby", "", 0},
	{"/msg bob hi there", LINECMD_MSG, "", "bob", "hi there", 0},
	{"[lan] /msg bob  hi", LINECMD_MSG, "lan", "bob", "hi", 0},
	{"/me waves  twice", LINECMD_ME, "", "", "waves  twice", 0},
	{"/nick lan", LINECMD_NICK, "", "lan", "", 0},
	{"/topic", LINECMD_TOPIC, "", "", "", 0},
	{"/topic exam at 9", LINECMD_TOPIC, "", "", "exam at 9", 0},
	{"/history", LINECMD_HISTORY, "", "", "", 20},
	{"/history 1", LINECMD_HISTORY, "", "", "", 1},
	{"/history 200", LINECMD_HISTORY, "", "", "", 200},
	{"/history 201", LINECMD_HISTORY, "", "", "", 200},
	{"/history 999999999", LINECMD_HISTORY, "", "", "", 200},
	{"/server", LINECMD_SERVER, "", "", "", 0},
	{"/quit", LINECMD_QUIT, "", "", "", 0},
	{"/json", LINECMD_JSON, "", "", "", 0},
	/* Refused, and not said. */
	{"/mgs bob secret", LINECMD_REFUSED, "", "mgs", "bob secret", 0},
	{"[lan] /mgs bob x", LINECMD_REFUSED, "lan", "mgs", "bob x", 0},
	{"/x", LINECMD_REFUSED, "", "x", "", 0},
	{"/join", LINECMD_REFUSED, "", "join", "", 0},
	{"/join a b", LINECMD_REFUSED, "", "join", "", 0},
	{"/join {a}", LINECMD_REFUSED, "", "join", "", 0},
	{"/join @lan#12345678", LINECMD_REFUSED, "", "join", "", 0},
	{"/who a b", LINECMD_REFUSED, "", "who", "", 0},
	{"/msg bob", LINECMD_REFUSED, "", "msg", "", 0},
	{"/msg b[b x", LINECMD_REFUSED, "", "msg", "x", 0},
	{"/me", LINECMD_REFUSED, "", "me", "", 0},
	{"/nick", LINECMD_REFUSED, "", "nick", "", 0},
	{"/nick chat_serv", LINECMD_REFUSED, "", "nick", "", 0},
	{"/topic \x1b[31m", LINECMD_REFUSED, "", "topic", "\x1b[31m", 0},
	{"/history 0", LINECMD_REFUSED, "", "history", "", 0},
	{"/history -1", LINECMD_REFUSED, "", "history", "", 0},
	{"/history 9999999999", LINECMD_REFUSED, "", "history", "", 0},
	{"/rooms please", LINECMD_REFUSED, "", "rooms", "", 0},
	{"/quit now", LINECMD_REFUSED, "", "quit", "", 0},
	{"/json is nice", LINECMD_REFUSED, "", "json", "", 0},
};

START_TEST(a_line_is_text_or_a_command)
{
	const char *line = lines[_i].line;
	struct linecmd_line out;

	linecmd_parse(slice_of(line), &out);
	ck_assert_msg(out.what == lines[_i].what, "\"%s\" is %d", line,
		      out.what);
	ck_assert(slice_equal(out.nick, slice_of(lines[_i].nick)));
	ck_assert_msg(out.what == LINECMD_REFUSED ||
			      slice_equal(out.text, slice_of(lines[_i].text)),
		      "\"%s\": %.*s", line, SLICE_ARG(out.text));
	ck_assert_msg(slice_equal(out.name, slice_of(lines[_i].name)),
		      "\"%s\": %.*s", line, SLICE_ARG(out.name));
	ck_assert_uint_eq(out.count, lines[_i].count);
}
END_TEST

/* Whatever is not a command is said as it stands, but for one slash. */
START_TEST(text_loses_nothing)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct slice line = slice_of(lines[i].line);
		struct linecmd_line out;

		linecmd_parse(line, &out);
		if (out.what == LINECMD_NONE)
			ck_assert_uint_eq(out.prefix.len + out.text.len +
						  out.slash_taken,
					  line.len);
	}
}
END_TEST

static struct writer answer;

static void check_answer(const char *expected)
{
	ck_assert(!answer.failed);
	ck_assert_msg(slice_equal(writer_slice(&answer), slice_of(expected)),
		      "%.*s", SLICE_ARG(writer_slice(&answer)));
	writer_free(&answer);
}

START_TEST(answers_are_the_servers_lines)
{
	struct linecmd_room rooms[] = {{SLICE("ops"), SLICE(""), 1},
				       {SLICE("lobby"), SLICE("hi all"), 30}};
	struct linecmd_person people[] = {{SLICE("lan"), SLICE("pi1-9001")},
					  {SLICE("bob"), SLICE("pi2-9001")}};
	const struct linecmd_server server = {SLICE("pi1-9001"), SLICE("up"),
					      3600, 7};
	struct linecmd_line line;

	writer_init(&answer, LINECMD_ANSWER_MAX);
	linecmd_put_joined(&answer, SLICE("ops"), 3, SLICE("on call"));
	check_answer("[chat_serv] you are in ops, 3 here: on call\n");
	linecmd_put_joined(&answer, SLICE("ops"), 1, SLICE(""));
	check_answer("[chat_serv] you are in ops, 1 here\n");
	linecmd_put_rooms(&answer, rooms, 2);
	check_answer("[chat_serv] lobby 30 here hi all\n"
		     "[chat_serv] ops 1 here\n");
	linecmd_put_rooms(&answer, NULL, 0);
	check_answer("[chat_serv] there is no room\n");
	linecmd_put_who(&answer, people, 2, 3);
	check_answer("[chat_serv] bob pi2-9001\n[chat_serv] lan pi1-9001\n"
		     "[chat_serv] 3 others have no name\n");
	linecmd_put_who(&answer, NULL, 0, 3);
	check_answer("[chat_serv] 3 others have no name\n");
	linecmd_put_who(&answer, NULL, 0, 0);
	check_answer("[chat_serv] nobody is here\n");
	linecmd_put_history_head(&answer, SLICE("ops"), 5);
	linecmd_put_history_end(&answer);
	check_answer("[chat_serv] last 5 of ops\n[chat_serv] end of history\n");
	linecmd_put_topic(&answer, SLICE("ops"), SLICE("x"));
	linecmd_put_topic(&answer, SLICE("ops"), SLICE(""));
	check_answer("[chat_serv] ops: x\n[chat_serv] ops has no topic\n");
	linecmd_put_nick(&answer, SLICE("lan"), SLICE(""));
	linecmd_put_nick(&answer, SLICE("lan"), SLICE("lan2"));
	check_answer("[chat_serv] you are lan\n"
		     "[chat_serv] lan is taken, try lan2\n");
	linecmd_put_absent(&answer, SLICE("bob"), false);
	linecmd_put_absent(&answer, SLICE("bob"), true);
	check_answer("[chat_serv] bob is not here\n"
		     "[chat_serv] bob is not here, it is kept for 24 hours\n");
	linecmd_put_server(&answer, &server);
	check_answer("[chat_serv] instance pi1-9001\n"
		     "[chat_serv] uptime 3600 s\n[chat_serv] redis up\n"
		     "[chat_serv] wire lines\n[chat_serv] clients 7\n");
	linecmd_parse(SLICE("/mgs bob secret"), &line);
	linecmd_put_refusal(&answer, &line);
	check_answer("[chat_serv] there is no command /mgs, so this was not "
		     "said; /help lists the commands\n");
	linecmd_parse(SLICE("/me"), &line);
	linecmd_put_refusal(&answer, &line);
	check_answer("[chat_serv] /me TEXT: a text is needed\n");
}
END_TEST

/* Each line begins as the server's, even of the longest names. */
static void check_lines(unsigned count)
{
	struct slice left = writer_slice(&answer);
	unsigned lines_seen = 0;

	ck_assert(!answer.failed);
	while (left.len > 0) {
		const char *end = memchr(left.at, '\n', left.len);

		ck_assert_ptr_nonnull(end);
		ck_assert_int_eq(memcmp(left.at, "[chat_serv] ", 12), 0);
		left = slice_from(left, (size_t)(end - left.at) + 1);
		lines_seen++;
	}
	ck_assert_uint_eq(lines_seen, count);
	writer_free(&answer);
}

START_TEST(lists_have_an_end)
{
	static struct linecmd_room rooms[60];
	static struct linecmd_person people[300];
	char name[ROOM_MAX_BYTES], topic[TOPIC_MAX + 1];

	memset(name, 'n', sizeof(name));
	memset(topic, 't', sizeof(topic));
	for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
		rooms[i] = (struct linecmd_room){{name, ROOM_MAX_BYTES - 1},
						 {topic, TOPIC_MAX},
						 4000000000};
	for (size_t i = 0; i < ARRAY_LEN(people); i++)
		people[i] = (struct linecmd_person){{name, NAME_MAX_BYTES - 1},
						    {name, INSTANCE_MAX - 1}};
	writer_init(&answer, LINECMD_ANSWER_MAX);
	linecmd_put_help(&answer);
	check_lines(13);
	linecmd_put_rooms(&answer, rooms, 60);
	check_lines(51);
	linecmd_put_rooms(&answer, rooms, 50);
	check_lines(50);
	linecmd_put_who(&answer, people, 300, 5);
	check_lines(202);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_line_is_text_or_a_command, ARRAY_LEN(lines)},
		{text_loses_nothing, 1},
		{answers_are_the_servers_lines, 1},
		{lists_have_an_end, 1},
	};

	return unit_run("linecmd", tests, ARRAY_LEN(tests));
}
