/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/reload_client.h"

#define TURN_BYTES 65536u      /* at a time, so that no packet waits for long */
#define ANSWER_MAX (16u << 20) /* bytes: several times the largest */

void plan_result_free(struct plan_result *r)
{
	if (!r)
		return;
	text_free(&r->change);
	text_free(&r->base);
	text_free(&r->kept);
	text_free(&r->restart);
	text_free(&r->warn);
	free(r);
}

int reload_client_start(struct reload_client *c, const struct keeper_spec *spec,
			struct err *err)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	return keeper_start(spec, &c->pid, &c->fd, err);
}

static void end_asking(struct reload_client *c)
{
	if (c->asking) {
		config_free(&c->running);
		config_free(&c->base);
	}
	c->asking = false;
}

static void hang_up(struct reload_client *c)
{
	end_asking(c);
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	text_free(&c->out);
}

void reload_client_stop(struct reload_client *c)
{
	/* Reaches it also if a child of ours has a copy of the socket. */
	if (c->fd != -1)
		(void)shutdown(c->fd, SHUT_RDWR);
	hang_up(c);
	if (c->pid > 0)
		(void)waitpid(c->pid, NULL, 0);
	c->pid = 0;
	plan_result_free(c->result);
	c->result = NULL;
	c->waiting = false;
}

static int copy_both(struct reload_client *c, const struct config *running,
		     const struct config *base)
{
	int ret = config_copy(&c->running, running);

	if (ret) {
		config_free(&c->running);
		return ret;
	}
	ret = config_copy(&c->base, base);
	if (ret) {
		config_free(&c->running);
		config_free(&c->base);
	}
	return ret;
}

int reload_client_ask(struct reload_client *c, const struct config *running,
		      const struct config *base, bool reset, bool dry,
		      struct err *err)
{
	if (c->fd == -1)
		return err_set(err, -EPIPE,
			       "the process that reads the configuration file "
			       "is gone: restart l4lb to read it again");
	if (c->waiting || c->asking || c->sent < c->out.len)
		return err_set(err, -EBUSY,
			       "the configuration file is being read already; "
			       "try again when that is done");
	text_cut(&c->out, 0);
	c->sent = c->got = 0;
	c->result = calloc(1, sizeof(*c->result));
	if (!c->result || copy_both(c, running, base)) {
		plan_result_free(c->result);
		c->result = NULL;
		return err_set(err, -ENOMEM, "out of memory");
	}
	text_add(&c->out, "plan %" PRIu64 "%s\n", ++c->asked,
		 reset ? " reset" : "");
	c->result->dry = dry;
	c->waiting = true;
	c->asking = true;
	c->part = 0;
	return 0;
}

short reload_client_events(const struct reload_client *c)
{
	const bool more = c->asking || c->sent < c->out.len;

	return (short)(POLLIN | (more ? POLLOUT : 0));
}

/*
 * The next service of what runs and of the base: 256 backends of each take a
 * millisecond. False: no memory.
 */
static bool write_part(struct reload_client *c)
{
	const unsigned part = c->part++;
	int ret = 0;

	if (part == 0 || part < c->running.n_services)
		ret = reload_ask_part("running", &c->running, part, &c->out);
	if (!ret && (part == 0 || part < c->base.n_services))
		ret = reload_ask_part("base", &c->base, part, &c->out);
	if (c->part >= c->running.n_services && c->part >= c->base.n_services) {
		text_add(&c->out, "go\n");
		end_asking(c);
	}
	return !ret && !c->out.failed;
}

/* False: the planner is gone, or there is no memory to ask it. */
static bool send_some(struct reload_client *c)
{
	size_t len;
	ssize_t n;

	if (c->asking && c->sent == 0 && !write_part(c))
		return false;
	len = c->out.len - c->sent;

	if (len == 0)
		return true;
	if (len > TURN_BYTES)
		len = TURN_BYTES;
	n = send(c->fd, c->out.bytes + c->sent, len, MSG_NOSIGNAL);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	c->sent += (size_t)n;
	if (c->sent == c->out.len) {
		text_free(&c->out);
		c->sent = 0;
	}
	return true;
}

static void fail(struct plan_result *r, const char *sentence)
{
	r->failed = true;
	snprintf(r->sentence, sizeof(r->sentence), "%s", sentence);
}

/* True: it was the last one. */
static bool take_line(struct plan_result *r, const char *line)
{
	const struct {
		const char *word;
		struct text *lines;
	} kinds[] = {{"change ", &r->change},
		     {"base ", &r->base},
		     {"kept ", &r->kept},
		     {"restart ", &r->restart},
		     {"warn ", &r->warn}};

	if (strcmp(line, "end") == 0)
		return true;
	if (strncmp(line, "error ", 6) == 0) {
		fail(r, line + 6);
		return true;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const size_t len = strlen(kinds[i].word);

		if (strncmp(line, kinds[i].word, len) == 0)
			text_add(kinds[i].lines, "%s\n", line + len);
	}
	return false;
}

static bool has_failed(const struct plan_result *r)
{
	return r->change.failed || r->base.failed || r->kept.failed ||
	       r->restart.failed || r->warn.failed;
}

static struct plan_result *hand_over(struct reload_client *c)
{
	struct plan_result *r = c->result;

	if (!r->failed && has_failed(r))
		fail(r, "out of memory");
	c->result = NULL;
	c->waiting = false;
	return r;
}

/* True if the line is the last one of what is awaited. */
static bool take_any_line(struct reload_client *c)
{
	if (sscanf(c->line, "answer %" SCNu64, &c->answered) == 1)
		return false;
	return c->waiting && (!c->answered || c->answered == c->asked) &&
	       take_line(c->result, c->line);
}

/* Takes @n bytes that were read; the answer if it is complete. */
static struct plan_result *take_bytes(struct reload_client *c,
				      const char *bytes, size_t n)
{
	struct plan_result *r = NULL;

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			/* Too long is not ours; its end does not matter. */
			if (c->len < sizeof(c->line) - 1)
				c->line[c->len++] = bytes[i];
			continue;
		}
		c->line[c->len] = 0;
		c->len = 0;
		if (take_any_line(c))
			r = hand_over(c);
	}
	return r;
}

static struct plan_result *lose(struct reload_client *c, const char *why)
{
	hang_up(c);
	if (!c->waiting)
		return NULL;
	fail(c->result, why);
	return hand_over(c);
}

struct plan_result *reload_client_run(struct reload_client *c, bool *gone)
{
	static const char ended[] =
		"the process that reads the configuration file has ended: "
		"restart l4lb to read it again";
	static char bytes[TURN_BYTES];
	ssize_t n;

	*gone = false;
	if (c->fd == -1)
		return NULL;
	if (!send_some(c)) {
		*gone = true;
		return lose(c, ended);
	}
	n = recv(c->fd, bytes, sizeof(bytes), 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	if (n > 0) {
		c->got += (size_t)n;
		if (c->got <= ANSWER_MAX)
			return take_bytes(c, bytes, (size_t)n);
	}
	*gone = true;
	return lose(c, n > 0 ? "the planner's answer has no end" : ended);
}
