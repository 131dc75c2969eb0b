/* SPDX-License-Identifier: MIT */
/*
 * reload.c - the real planner: a process that reads a real file
 *
 * The resolver is the test's own: what it answers is in memory that is shared
 * with the planner.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/config_file.h"
#include "control/reload_client.h"
#include "unit.h"

#define WAIT_MS 20000

#define CHAT                      \
	"[service chat]\n"        \
	"listen = 10.0.0.1:80\n"  \
	"backend = 10.0.0.2:80\n" \
	"backend = pi.local:80 weight=3\n"

/* ------------------------------------------------------------ the resolver */

enum answer { ANSWER_KNOWN, ANSWER_UNKNOWN, ANSWER_NEVER, ANSWER_CRASH };

static struct shared {
	atomic_int answer, asked;
	atomic_uint last;   /* byte of the address */
	atomic_int asking;  /* pid of who waits for an answer */
	atomic_bool doomed; /* who sends an answer next is killed right after */
	atomic_bool sent;   /* that answer */
} * shared;

int getaddrinfo(const char *host, const char *service,
		const struct addrinfo *hints, struct addrinfo **out)
{
	static struct sockaddr_in sin = {.sin_family = AF_INET};
	static struct addrinfo found = {.ai_addr = (struct sockaddr *)&sin};

	(void)host;
	(void)service;
	(void)hints;
	shared->asked++;
	if (shared->answer == ANSWER_CRASH)
		raise(SIGKILL);
	shared->asking = getpid();
	while (shared->answer == ANSWER_NEVER)
		(void)poll(NULL, 0, 1);
	if (shared->answer == ANSWER_UNKNOWN)
		return EAI_AGAIN;
	sin.sin_addr.s_addr = htonl(0x0a000000u + shared->last);
	*out = &found;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	(void)list;
}

static bool ends_with(const char *bytes, size_t len, const char *end)
{
	return len >= strlen(end) &&
	       memcmp(bytes + len - strlen(end), end, strlen(end)) == 0;
}

/* The planner's too. */
ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
	const bool doomed =
		shared && shared->doomed && ends_with(bytes, len, "\nend\n");
	const ssize_t n = sendto(fd, bytes, len, flags, NULL, 0);

	if (doomed) {
		shared->sent = true;
		while (shared->doomed)
			(void)poll(NULL, 0, 1);
		raise(SIGKILL);
	}
	return n;
}

/* ------------------------------------------------------------ the rig */

static char path[] = "/tmp/l4lb-reload-XXXXXX";
static char program[] = "l4lb", option[] = "--config";
static char *argv[] = {program, option, path, NULL};

struct rig {
	struct config running;
	struct user user;
	struct reload_client client;
	int held[2]; /* something that l4lb has open */
};

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static struct rig *start(const char *text)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct keeper_spec spec = {.argc = 3, .argv = argv, .path = path};
	struct err err;

	ck_assert_ptr_nonnull(rig);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	shared->last = 3;
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	ck_assert_int_ge(close(mkstemp(path)), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
	write_file(text);
	if (config_read(&rig->running, 3, argv, &err) != CONFIG_OK)
		ck_abort_msg("%s", err.text);
	/* As root, like l4lb: the child becomes somebody else. */
	rig->user.owner = (struct owner){geteuid(), getegid()};
	if (geteuid() == 0 && sandbox_user(&rig->user, "nobody", &err))
		ck_abort_msg("%s", err.text);
	ck_assert_int_eq(pipe(rig->held), 0);
	spec.name = rig->running.name;
	spec.user = &rig->user;
	if (reload_client_start(&rig->client, &spec, &err))
		ck_abort_msg("%s", err.text);
	return rig;
}

static void stop(struct rig *rig)
{
	reload_client_stop(&rig->client);
	config_free(&rig->running);
	close(rig->held[0]);
	close(rig->held[1]);
	unlink(path);
	free(rig);
}

static void ask(struct rig *rig, bool reset)
{
	struct err err;

	if (reload_client_ask(&rig->client, &rig->running, &rig->running, reset,
			      false, &err))
		ck_abort_msg("%s", err.text);
}

static struct plan_result *answer(struct rig *rig, bool *gone)
{
	struct plan_result *r = NULL;

	*gone = false;
	while (!r && !*gone) {
		struct pollfd fd = {rig->client.fd,
				    reload_client_events(&rig->client), 0};

		ck_assert_int_eq(poll(&fd, 1, WAIT_MS), 1);
		r = reload_client_run(&rig->client, gone);
	}
	return r;
}

static struct plan_result *reload(struct rig *rig)
{
	struct plan_result *r;
	bool gone;

	ask(rig, false);
	r = answer(rig, &gone);
	ck_assert_ptr_nonnull(r);
	ck_assert(!gone);
	return r;
}

static struct plan_result *reload_ok(struct rig *rig)
{
	struct plan_result *r = reload(rig);

	ck_assert_msg(!r->failed, "%s", r->sentence);
	return r;
}

static void expect_changes(struct rig *rig, const char *changes)
{
	struct plan_result *r = reload_ok(rig);

	ck_assert_str_eq(text_get(&r->change), changes);
	plan_result_free(r);
}

static void expect_failure(struct rig *rig, const char *part)
{
	struct plan_result *r = reload(rig);

	ck_assert(r->failed);
	ck_assert_msg(strstr(r->sentence, part), "%s", r->sentence);
	plan_result_free(r);
}

/* ------------------------------------------------------------ what it says */

START_TEST(a_file_that_nobody_edited_changes_nothing)
{
	struct rig *rig = start(CHAT);
	struct plan_result *r = reload_ok(rig);

	ck_assert_str_eq(text_get(&r->change), "");
	ck_assert_str_eq(text_get(&r->kept), "");
	ck_assert_str_eq(text_get(&r->restart), "");
	ck_assert_str_eq(text_get(&r->warn), "");
	ck_assert_str_eq(text_get(&r->base),
			 "service add chat listen=10.0.0.1:80\n"
			 "backend add chat 10.0.0.2:80 weight=1 id=backend1\n"
			 "backend add chat 10.0.0.3:80 weight=3 id=backend2\n");
	plan_result_free(r);
	stop(rig);
}
END_TEST

START_TEST(an_edited_file_becomes_commands)
{
	struct rig *rig = start(CHAT);
	struct plan_result *r;
	struct err err;

	ck_assert_int_eq(command_apply(&rig->running,
				       "backend add chat 10.0.0.9:80", &err),
			 0);
	ck_assert_int_eq(command_apply(&rig->running,
				       "service set chat retries=1", &err),
			 0);
	write_file("[global]\nflows = 77\n" CHAT "fall = 9\n"
		   "backend = 10.0.0.4:80\n");
	/* The base of this test is what runs, so nothing is of run time. */
	r = reload_ok(rig);
	ck_assert_str_eq(text_get(&r->change),
			 "service set chat fall=9 retries=3\n"
			 "backend add chat 10.0.0.4:80 weight=1 id=backend4\n"
			 "backend remove chat backend3\n");
	ck_assert_str_eq(text_get(&r->restart), "flows 65536 -> 77\n");
	ck_assert_ptr_nonnull(strstr(text_get(&r->base), "set flows=77\n"));
	/* The base calls it what it will be called. */
	ck_assert_ptr_nonnull(
		strstr(text_get(&r->base), "10.0.0.4:80 weight=1 id=backend4"));
	plan_result_free(r);
	stop(rig);
}
END_TEST

/* They are asked about one after the other. */
START_TEST(several_services_are_one_request)
{
	static const char web[] = "[service web]\nlisten = 10.0.0.1:81\n"
				  "backend = 10.0.0.2:80\n";
	static const char dns[] = "[service dns]\nlisten = 10.0.0.1:53\n"
				  "backend = 10.0.0.7:53 id=one\n";
	char text[1024];
	struct rig *rig;

	snprintf(text, sizeof(text), "[global]\nkeepalive = 9s\n%s%s%s", CHAT,
		 web, dns);
	rig = start(text);
	expect_changes(rig, "");
	snprintf(text, sizeof(text), "%s%s" CHAT "[global]\nkeepalive = 8s\n",
		 dns, web);
	write_file(text);
	expect_changes(rig, "set keepalive=8s\n");
	write_file(dns);
	expect_changes(rig, "set keepalive=off\nservice remove chat\n"
			    "service remove web\n");
	stop(rig);
}
END_TEST

START_TEST(a_wrong_file_is_refused_with_its_line)
{
	struct rig *rig = start(CHAT);
	char part[64];

	write_file(CHAT "fal = 3\n");
	snprintf(part, sizeof(part), "%s:5: unknown key \"fal\"", path);
	expect_failure(rig, part);
	write_file("");
	expect_failure(rig, ":1: no service");
	ck_assert_int_eq(unlink(path), 0);
	expect_failure(rig, "cannot read the configuration: No such file");
	/* And it goes on. */
	write_file(CHAT "fall = 4\n");
	expect_changes(rig, "service set chat fall=4\n");
	stop(rig);
}
END_TEST

/* ------------------------------------------------------------------- names */

START_TEST(a_name_that_moved_is_followed)
{
	struct rig *rig = start(CHAT);

	shared->last = 5;
	expect_changes(rig,
		       "backend add chat 10.0.0.5:80 weight=3 id=backend3\n"
		       "backend remove chat backend2\n");
	stop(rig);
}
END_TEST

START_TEST(a_name_that_nobody_knows_now_keeps_its_address)
{
	struct rig *rig = start(CHAT "backend = pi.local:81\n");
	struct plan_result *r;

	shared->answer = ANSWER_UNKNOWN;
	shared->asked = 0;
	r = reload_ok(rig);
	ck_assert_str_eq(text_get(&r->change), "");
	ck_assert_ptr_nonnull(strstr(text_get(&r->warn),
				     "pi.local keeps the address 10.0.0.3"));
	ck_assert_int_eq(shared->asked, 1);
	plan_result_free(r);

	/* What was found by a reload is known to the next one. */
	shared->answer = ANSWER_KNOWN;
	write_file(CHAT "backend = new.local:82\n");
	expect_changes(rig, "backend add chat 10.0.0.3:82 weight=1 id="
			    "backend4\nbackend remove chat backend3\n");
	shared->answer = ANSWER_UNKNOWN;
	r = reload_ok(rig);
	ck_assert_ptr_nonnull(strstr(text_get(&r->warn),
				     "new.local keeps the address 10.0.0.3"));
	plan_result_free(r);

	/* A name that was never known is an error. */
	write_file(CHAT "backend = unknown.local:82\n");
	expect_failure(rig, ":5: backend \"unknown.local:82\": host");
	stop(rig);
}
END_TEST

START_TEST(a_resolver_that_hangs_delays_only_the_plan)
{
	struct rig *rig = start(CHAT "fall = 2\n");
	struct plan_result *r;
	struct err err;
	bool gone;

	shared->asking = 0;
	shared->answer = ANSWER_NEVER;
	ask(rig, false);
	/* Nothing blocks while it hangs. */
	while (!shared->asking)
		ck_assert_ptr_null(reload_client_run(&rig->client, &gone));
	ck_assert_ptr_null(reload_client_run(&rig->client, &gone));
	ck_assert(!gone);
	ck_assert_int_eq(reload_client_ask(&rig->client, &rig->running,
					   &rig->running, false, false, &err),
			 -EBUSY);
	shared->answer = ANSWER_KNOWN;
	r = answer(rig, &gone);
	ck_assert_ptr_nonnull(r);
	ck_assert(!r->failed);
	plan_result_free(r);
	stop(rig);
}
END_TEST

/* ------------------------------------------------------------- the process */

static unsigned count_fds(pid_t pid, ino_t not_this)
{
	char name[64];
	unsigned n = 0;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/fd", (int)pid);
	dir = opendir(name);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		struct stat st;

		if (e->d_name[0] == '.')
			continue;
		n++;
		ck_assert_int_eq(fstatat(dirfd(dir), e->d_name, &st, 0), 0);
		ck_assert_uint_ne(st.st_ino, not_this);
	}
	closedir(dir);
	return n;
}

START_TEST(it_has_a_name_of_its_own_and_nothing_of_ours)
{
	struct rig *rig = start(CHAT);
	char name[64], comm[32] = "";
	struct stat st;
	FILE *file;

	expect_changes(rig, ""); /* it is there */
	snprintf(name, sizeof(name), "/proc/%d/comm", (int)rig->client.pid);
	file = fopen(name, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(comm, sizeof(comm), file));
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_str_eq(comm, "l4lb-plan\n");
	ck_assert_int_eq(fstat(rig->held[1], &st), 0);
	/* /dev/null three times, the socket, and that its child has ended. */
	ck_assert_uint_eq(count_fds(rig->client.pid, st.st_ino), 5);
	stop(rig);
}
END_TEST

START_TEST(signals_for_l4lb_do_it_no_harm)
{
	static const int sent[] = {SIGHUP,  SIGUSR1, SIGINT,
				   SIGTERM, SIGUSR2, SIGPIPE};
	struct rig *rig = start(CHAT);

	expect_changes(rig, "");
	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		ck_assert_int_eq(kill(rig->client.pid, sent[i]), 0);
	expect_changes(rig, "");
	stop(rig);
}
END_TEST

START_TEST(its_end_is_noticed_and_said)
{
	struct rig *rig = start(CHAT);
	struct err err;
	bool gone;

	ck_assert_int_eq(kill(rig->client.pid, SIGKILL), 0);
	ck_assert_ptr_null(answer(rig, &gone));
	ck_assert(gone);
	ck_assert_int_eq(rig->client.fd, -1);
	ck_assert_int_eq(reload_client_ask(&rig->client, &rig->running,
					   &rig->running, false, false, &err),
			 -EPIPE);
	ck_assert_ptr_nonnull(strstr(err.text, "restart l4lb"));
	ck_assert_ptr_null(reload_client_run(&rig->client, &gone));
	stop(rig);
}
END_TEST

START_TEST(its_end_within_a_plan_is_an_answer)
{
	struct rig *rig = start(CHAT);
	struct plan_result *r;
	bool gone;

	shared->answer = ANSWER_NEVER;
	shared->asking = 0;
	ask(rig, false);
	while (!shared->asking)
		ck_assert_ptr_null(reload_client_run(&rig->client, &gone));
	ck_assert_int_eq(kill(rig->client.pid, SIGKILL), 0);
	r = answer(rig, &gone);
	ck_assert(gone);
	ck_assert_ptr_nonnull(r);
	ck_assert(r->failed);
	ck_assert_ptr_nonnull(strstr(r->sentence, "has ended"));
	plan_result_free(r);
	stop(rig);
}
END_TEST

START_TEST(a_plan_that_crashes_is_an_answer_and_the_next_one_works)
{
	struct rig *rig = start(CHAT);

	for (int i = 0; i < 3; i++) {
		shared->answer = ANSWER_CRASH;
		expect_failure(rig, "the planner failed (signal 9)");
		shared->answer = ANSWER_KNOWN;
		expect_changes(rig, "");
	}
	stop(rig);
}
END_TEST

/* Its death is reported, but the next answer is another one. */
START_TEST(a_planner_that_is_killed_after_its_answer_has_answered)
{
	struct rig *rig = start(CHAT);
	struct pollfd fd = {rig->client.fd, POLLIN, 0};

	for (int i = 0; i < 3; i++) {
		shared->sent = false;
		shared->doomed = true;
		expect_changes(rig, "");
		while (!shared->sent)
			(void)poll(NULL, 0, 1);
		shared->doomed = false;
		ck_assert_int_eq(poll(&fd, 1, WAIT_MS), 1);
		expect_changes(rig, "");
	}
	stop(rig);
}
END_TEST

/* Also if a plan hangs: nothing is left of it. */
START_TEST(it_ends_when_we_do)
{
	struct rig *rig = start(CHAT);
	int asking, status;
	bool gone;

	shared->answer = ANSWER_NEVER;
	shared->asking = 0;
	ask(rig, false);
	while (!shared->asking)
		ck_assert_ptr_null(reload_client_run(&rig->client, &gone));
	asking = shared->asking;
	close(rig->client.fd);
	rig->client.fd = -1;
	ck_assert_int_eq(waitpid(rig->client.pid, &status, 0), rig->client.pid);
	ck_assert(WIFEXITED(status));
	rig->client.pid = 0;
	while (kill(asking, 0) == 0) /* until init has taken it away */
		(void)poll(NULL, 0, 1);
	ck_assert_int_eq(errno, ESRCH);
	stop(rig);
}
END_TEST

/* As root: the file is root's alone, and who looks at it is not root. */
START_TEST(only_the_reading_is_done_as_root)
{
	struct rig *rig;
	char name[64], line[256];
	FILE *file;
	bool gone, uid = false, caps = false, privs = false;

	if (geteuid() != 0)
		return;
	rig = start(CHAT);
	if (!rig->user.change) {
		stop(rig);
		return;
	}
	shared->answer = ANSWER_NEVER;
	shared->asking = 0;
	ask(rig, false);
	while (!shared->asking)
		ck_assert_ptr_null(reload_client_run(&rig->client, &gone));
	snprintf(name, sizeof(name), "/proc/%d/status", shared->asking);
	file = fopen(name, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned id = 0;

		if (sscanf(line, "Uid: %u", &id) == 1)
			uid = id == rig->user.owner.uid;
		caps |= strcmp(line, "CapPrm:\t0000000000000000\n") == 0;
		privs |= strcmp(line, "NoNewPrivs:\t1\n") == 0;
	}
	ck_assert_int_eq(fclose(file), 0);
	ck_assert(uid);
	ck_assert(caps);
	ck_assert(privs);
	shared->answer = ANSWER_KNOWN;
	stop(rig);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_file_that_nobody_edited_changes_nothing, 0},
		{an_edited_file_becomes_commands, 0},
		{several_services_are_one_request, 0},
		{a_wrong_file_is_refused_with_its_line, 0},
		{a_name_that_moved_is_followed, 0},
		{a_name_that_nobody_knows_now_keeps_its_address, 0},
		{a_resolver_that_hangs_delays_only_the_plan, 0},
		{it_has_a_name_of_its_own_and_nothing_of_ours, 0},
		{signals_for_l4lb_do_it_no_harm, 0},
		{its_end_is_noticed_and_said, 0},
		{its_end_within_a_plan_is_an_answer, 0},
		{a_planner_that_is_killed_after_its_answer_has_answered, 0},
		{a_plan_that_crashes_is_an_answer_and_the_next_one_works, 0},
		{it_ends_when_we_do, 0},
		{only_the_reading_is_done_as_root, 0},
	};

	return unit_run("reload", tests, ARRAY_LEN(tests));
}
