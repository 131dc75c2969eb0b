/* SPDX-License-Identifier: MIT */
/*
 * fuzz_state_file.c - any bytes as a state file that is there at the start
 *
 * The first byte says what of the file is made right before it is opened, so
 * that what lies behind the header's checks is reached; the second one how many
 * flows the next process wants; header and flows follow. A slow and obvious
 * judge says what must come of it: the flows go on, or a fresh file is there
 * and why, or nothing was touched. Then the file is opened once more.
 *
 * Files are in a folder of its own in TMPDIR. Needs host/state.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge.h"
#include "host/needs.h"
#include "host/state.h"
#include "host/state_file.h"

#define FLOWS	  64 /* of a table, at most */
#define FILE_MAX  (STATE_FLOWS_AT + FLOWS * sizeof(struct flow))
#define INPUT_MIN 2

/* The first byte. */
enum made {
	MADE_BOOT = 1,	  /* it is of this boot */
	MADE_NETNS = 2,	  /* and network namespace */
	MADE_SEAL = 4,	  /* the header's checksum is right */
	MADE_PAGE = 8,	  /* behind the header there are zeros up to the flows;
			   * else the file is these bytes, and no more
			   */
	MADE_SIZE = 16,	  /* the file is as long as the header says */
	MADE_FLOWS = 32,  /* the flows' checksums are right */
	MADE_SHARED = 64, /* others may write to it */
};

struct file {
	_Alignas(struct flow) uint8_t bytes[FILE_MAX];
	size_t size;
	bool shared;
	struct state_header head; /* what is there of it */
	const struct flow *flows; /* of a good one */
};

static char folder[256], path[300], path_new[300], path_old[300];
static struct state_header here; /* as this process writes it */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void clear(void)
{
	unlink(path);
	unlink(path_new);
	unlink(path_old);
}

static void leave(void)
{
	clear();
	rmdir(folder);
}

/* False without such a file; of one that is too large, one byte too many. */
static bool read_file(const char *name, uint8_t bytes[FILE_MAX + 1],
		      size_t *size)
{
	int fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return false;
	n = read(fd, bytes, FILE_MAX + 1);
	if (n < 0)
		fail("a file can be read");
	*size = (size_t)n;
	close(fd);
	return true;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static uint8_t bytes[FILE_MAX + 1];
	const char *where = getenv("TMPDIR");
	struct state *s;
	struct err err;
	size_t size;

	(void)argc, (void)argv;
	snprintf(folder, sizeof(folder), "%s/l4lb-fuzz-XXXXXX",
		 where ? where : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		exit(1);
	}
	atexit(leave);
	snprintf(path, sizeof(path), "%s/flows", folder);
	snprintf(path_new, sizeof(path_new), "%s.new", path);
	snprintf(path_old, sizeof(path_old), "%s.old", path);
	if (state_open(&s, path, 1, NULL, &err))
		fail(err.text);
	state_close(s);
	if (!read_file(path, bytes, &size))
		fail("a file was made");
	memcpy(&here, bytes, sizeof(here));
	return 0;
}

/* ---------------------------------------------------------------- the file */

static void make_header(struct file *f, unsigned how)
{
	struct state_header *h = &f->head;

	memcpy(h, f->bytes, sizeof(*h));
	if (how & MADE_BOOT)
		memcpy(h->place.boot, here.place.boot, sizeof(h->place.boot));
	if (how & MADE_NETNS)
		h->place.netns = here.place.netns;
	if (how & MADE_SEAL)
		h->check = state_header_check(h);
	memcpy(f->bytes, h, sizeof(*h));
	if (how & MADE_SIZE && h->flows <= FLOWS)
		f->size = state_bytes_of(h->version, h->flows);
}

static void make_file(struct file *f, unsigned how, const uint8_t *in,
		      size_t left)
{
	struct flow *flows;
	size_t head = left, at;

	memset(f, 0, sizeof(*f));
	f->shared = how & MADE_SHARED;
	if (how & MADE_PAGE && left > sizeof(f->head))
		head = sizeof(f->head);
	if (head > FILE_MAX)
		head = FILE_MAX;
	memcpy(f->bytes, in, head);
	f->size = head;
	memcpy(&f->head, f->bytes, sizeof(f->head));
	at = state_flows_at(f->head.version);
	flows = (struct flow *)(f->bytes + at);
	if (how & MADE_PAGE) {
		left -= head;
		if (left > FLOWS * sizeof(*flows))
			left = FLOWS * sizeof(*flows);
		memcpy(flows, in + head, left);
		f->size = at + left;
	}
	if (f->size >= sizeof(f->head))
		make_header(f, how);
	for (int i = 0; how & MADE_FLOWS && i < FLOWS; i++)
		if (at + (i + 1) * sizeof(*flows) <= f->size && flows[i].open)
			forge_seal(&flows[i]);
	f->flows = flows;
}

static void write_file(const struct file *f)
{
	int fd;

	clear();
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, f->bytes, f->size) != (ssize_t)f->size ||
	    fchmod(fd, f->shared ? 0620 : 0600))
		fail("a file can be written");
	close(fd);
}

/* ----------------------------------------------------------------- a judge */

static bool is_ours(const struct file *f)
{
	return f->size >= 8 && memcmp(f->head.magic, "l4lbflow", 8) == 0;
}

/* Somebody else's: not begun by the magic, nor by pages never written. */
static bool is_foreign(const struct file *f)
{
	static const char none[8];

	return f->size > 0 && !is_ours(f) &&
	       (f->size < 8 || memcmp(f->head.magic, none, 8) != 0);
}

static bool is_good(const struct file *f)
{
	const struct state_header *h = &f->head;

	return !f->shared && f->size > sizeof(*h) && is_ours(f) &&
	       (h->version == here.version || h->version == STATE_V1) &&
	       h->flow_size == here.flow_size && h->flows > 0 &&
	       f->size == state_bytes_of(h->version, h->flows) &&
	       strncmp(h->place.boot, here.place.boot, sizeof(h->place.boot)) ==
		       0 &&
	       h->place.netns == here.place.netns &&
	       h->check == state_header_check(h);
}

/* Losing it would cut somebody off. */
static bool is_connection(const struct flow *f)
{
	return f->open == 1 && f->tcp.state >= TCP_ESTABLISHED &&
	       f->tcp.state < TCP_TIME_WAIT;
}

static unsigned connections(const struct flow *flows, uint32_t n)
{
	unsigned found = 0;

	for (uint32_t i = 0; i < n; i++)
		found += is_connection(&flows[i]);
	return found;
}

static bool is_zero(const void *data, size_t len)
{
	const uint8_t *byte = data;

	while (len > 0 && *byte == 0)
		byte++, len--;
	return len == 0;
}

static bool has(const struct file *f, const struct flow *flow)
{
	for (uint32_t i = 0; i < f->head.flows; i++)
		if (memcmp(&f->flows[i], flow, sizeof(*flow)) == 0)
			return true;
	return false;
}

static void check_flows(struct state *s, const struct file *f, uint32_t wanted)
{
	const struct flow *flows = state_flows(s);

	if (wanted == f->head.flows && f->head.version == here.version &&
	    memcmp(flows, f->flows, wanted * sizeof(*flows)) != 0)
		fail("a file of the right size is as it was");
	if (connections(flows, wanted) != connections(f->flows, f->head.flows))
		fail("every connection goes on");
	for (uint32_t i = 0; i < wanted; i++)
		if (!is_zero(&flows[i], sizeof(*flows)) && !has(f, &flows[i]))
			fail("a flow is one of the file's");
	if (memcmp(state_secret(s), f->head.secret, FLOW_SECRET_BYTES) != 0)
		fail("the secret stays");
}

/* What the next process asks before it takes the flows. */
static void check_needs(struct state *s, uint32_t wanted)
{
	static bool used[NEEDS_PORTS];
	const struct flow *flows = state_flows(s);
	struct needs needs;
	uint32_t whole = 0, ports = 0;
	size_t sum = 0;

	memset(used, 0, sizeof(used));
	needs_mark_ports(s, used);
	for (uint32_t i = 0; i < NEEDS_PORTS; i++)
		ports += used[i];
	if (needs_read(&needs, s))
		fail("there is memory");
	for (size_t i = 0; i < needs.n; i++) {
		const struct need *need = &needs.list[i];

		if (!addr_is_v4(&need->backend.addr) || !need->backend.port)
			fail("a backend has an address");
		sum += need->flows;
	}
	free(needs.list);
	for (uint32_t i = 0; i < wanted; i++)
		whole += flow_is_whole(&flows[i]);
	if (sum > whole || ports > sum || needs.n > sum || (sum && !ports))
		fail("each flow that is whole needs one backend and one port");
	if (!state_found(s) && sum)
		fail("a fresh file needs nothing");
}

static void check_ports(const struct state *s, const struct file *f)
{
	const struct state_header *h = &f->head;
	uint16_t lo = 0, hi = 0;

	if (state_ports(s, &lo, &hi) != (h->nat_lo && h->nat_lo <= h->nat_hi))
		fail("a port range is believed if it is one");
	if (lo && (lo != h->nat_lo || hi != h->nat_hi))
		fail("it is the file's");
	if (state_probe_ports(s) != h->probe_lo)
		fail("the ports of health checks are the file's");
}

static void check_fresh(struct state *s, const struct file *f, uint32_t wanted)
{
	static uint8_t bytes[FILE_MAX + 1];
	size_t size;
	bool aside = f->shared;
	uint16_t lo, hi;

	if (!state_why_fresh(s))
		fail("it is said why a file is not used");
	if (!is_zero(state_flows(s), wanted * sizeof(struct flow)) ||
	    state_ports(s, &lo, &hi) || state_probe_ports(s))
		fail("a fresh file is empty");
	if (read_file(path_old, bytes, &size) != aside)
		fail("just what others could write is moved aside");
	if (aside && (size != f->size || memcmp(bytes, f->bytes, size) != 0))
		fail("what is moved aside is as it was");
}

static void check_refused(const struct file *f, uint32_t wanted,
			  const struct err *err, int ret)
{
	static uint8_t bytes[FILE_MAX + 1];
	size_t size;

	if (is_foreign(f)
		    ? ret != -EEXIST
		    : ret != -EINVAL || !is_good(f) ||
			      connections(f->flows, f->head.flows) <= wanted)
		fail(err->text);
	if (!read_file(path, bytes, &size) || size != f->size ||
	    memcmp(bytes, f->bytes, size) != 0)
		fail("a file that is refused is as it was");
}

/* The process after that one finds what it left. */
static void check_again(uint32_t wanted, const struct flow *left)
{
	struct state *s;
	struct err err;
	uint16_t lo = 0, hi = 0;

	if (state_open(&s, path, wanted, NULL, &err))
		fail(err.text);
	if (!state_found(s) || state_why_fresh(s) ||
	    memcmp(state_flows(s), left, wanted * sizeof(*left)) != 0)
		fail("what was opened once goes on");
	if (!state_ports(s, &lo, &hi) || lo != 10240 || hi != 32767 ||
	    state_probe_ports(s) != 32000)
		fail("the ports that were set are there");
	state_remove(s);
	if (access(path, F_OK) == 0 || access(path_new, F_OK) == 0)
		fail("what is removed is gone");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct flow left[FLOWS];
	static struct file f;
	struct state *s = NULL;
	uint32_t wanted;
	struct err err;
	int ret;

	if (size < INPUT_MIN)
		return 0;
	wanted = 1 + data[1] % FLOWS;
	make_file(&f, data[0], data + INPUT_MIN, size - INPUT_MIN);
	write_file(&f);
	ret = state_open(&s, path, wanted, NULL, &err);
	if (access(path_new, F_OK) == 0)
		fail("nothing half made stays");
	if (ret) {
		check_refused(&f, wanted, &err, ret);
		return 0;
	}
	if (state_found(s) != is_good(&f))
		fail("a file is gone on with exactly if it is good");
	if (state_found(s)) {
		if (state_why_fresh(s) || access(path_old, F_OK) == 0)
			fail("nothing is wrong with a good file");
		check_flows(s, &f, wanted);
		check_ports(s, &f);
	} else {
		check_fresh(s, &f, wanted);
	}
	check_needs(s, wanted);
	state_set_ports(s, 10240, 32767, 32000);
	memcpy(left, state_flows(s), wanted * sizeof(*left));
	state_close(s);
	check_again(wanted, left);
	return 0;
}
