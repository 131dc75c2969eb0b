/* SPDX-License-Identifier: MIT */
/*
 * bench_engine.c - what a packet costs in the core, without any system call
 *
 * Packets lie in memory as a capture ring would hold them and go through the
 * core in batches of 64, with the calls and in the order of io/forward.c. Two
 * figures a line: "path" is parsing (checksums verified) and the engine,
 * "engine" the engine alone. Building the packets is not in the time.
 *
 * Mixes, all on a table that already holds --flows established connections:
 *	data   segments of random flows, from both sides
 *	short  connections of six packets, one after another: SYN, SYN-ACK, ACK,
 *	       FIN, FIN-ACK, ACK
 *	syn    nothing but SYNs of new clients, each recycling the oldest
 *
 * Asserted: every packet is forwarded, the table holds what it should, and a
 * flow takes at most 256 bytes in the tables, apart from its port, an eighth of
 *a kept SYN, and what does not grow with them. Times are only reported.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/perf_event.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../rig/frames.h"
#include "../rig/parse.h"
#include "core/engine.h"
#include "core/random.h"
#include "core/time.h"
#include "core/view.h"

#define BATCH		 64
#define RING_SLOTS	 1024
#define SLOT_BYTES	 2048
#define HEADERS		 40		  /* IP and TCP */
#define BYTES_A_FLOW_MAX (256 + 2 + 12.5) /* tables, port, kept SYN */
#define BYTES_FIXED	 (768 * 1024) /* slots of services, backends, pools */
#define SPARE_FLOWS	 8192	      /* places beyond the established flows */
#define PORTS_LO	 1024
#define PORTS_HI	 65535
#define PORTS		 (PORTS_HI - PORTS_LO + 1)
#define BATCH_NS	 20000 /* virtual time between two batches */
#define STAGES		 6     /* packets of a short connection */

#define require(what)                                                         \
	do {                                                                  \
		if (!(what)) {                                                \
			fprintf(stderr, "bench_engine: not so: %s\n", #what); \
			exit(1);                                              \
		}                                                             \
	} while (0)

enum mix { MIX_DATA, MIX_SHORT, MIX_SYN, MIXES };

static const char *const mix_name[MIXES] = {"data", "short", "syn"};

/* What both ends of a connection know. */
struct conn {
	struct endpoint nat, backend;
	uint32_t sent[FLOW_SIDES]; /* sequence numbers used so far */
};

static bool huge_pages;
static enum sched_kind scheduler = SCHED_RR;
static unsigned backends_min; /* 0: as many as it takes */

struct bench {
	struct engine *engine;
	struct flow *flows;
	size_t flows_bytes;
	uint32_t n_flows; /* established all the time */
	struct conn *conns;
	struct conn fresh[BATCH]; /* of the mix "short" */
	uint32_t fresh_client[BATCH];
	unsigned stage[BATCH];
	uint32_t next_client;
	struct endpoint service;
	struct random random;
	uint64_t now_ns; /* virtual */
	uint8_t *ring;
	uint32_t len[RING_SLOTS];
	unsigned slot;
	struct packet packets[BATCH];
	int counter; /* of instructions; -1: not here */
};

/* Of a batch: the median, since a busy machine interrupts some of them. */
struct result {
	double *ns; /* a batch each */
	uint64_t batches;
	double instructions; /* 0: not counted */
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* ------------------------------------------------------------ the engine */

static void fill_backends(struct backend_spec *specs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.19.%u.%u", i / 200,
			 i % 200 + 1);
		specs[i] = (struct backend_spec){
			.addr = frame_endpoint(text, 9001),
			.params.weight = 1,
			.n_sources = 1,
			.sources = {frame_addr("198.18.0.1")},
		};
	}
}

static size_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* As many backends as it takes ports; returns the memory of all of it. */
static size_t make_engine(struct bench *b)
{
	static uint16_t ports[PORTS];
	uint32_t size = b->n_flows + SPARE_FLOWS;
	unsigned n_backends = size / PORTS + 1 > backends_min ? size / PORTS + 1
							      : backends_min;
	struct backend_spec *backends = calloc(n_backends, sizeof(*backends));
	struct service_spec service = {
		.listen = b->service,
		.params.scheduler = scheduler,
		.n_backends = n_backends,
		.backends = backends,
	};
	struct engine_spec spec = {
		.n_services = 1,
		.services = &service,
		.ports = ports,
		.n_ports = PORTS,
		.n_flows = size,
		.timeouts = ENGINE_TIMEOUTS_DEFAULT,
		.seed = 1,
	};
	size_t before, bytes;
	struct err err;

	require(backends && n_backends <= SERVICE_BACKENDS_MAX);
	fill_backends(backends, n_backends);
	for (unsigned i = 0; i < PORTS; i++)
		ports[i] = (uint16_t)(PORTS_LO + i);
	for (unsigned i = 0; i < sizeof(spec.secret); i++)
		spec.secret[i] = (uint8_t)(i * 37);
	b->flows_bytes = (size_t)size * sizeof(struct flow);
	b->flows = mmap(NULL, b->flows_bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	require(b->flows != MAP_FAILED);
	if (huge_pages)
		madvise(b->flows, b->flows_bytes, MADV_HUGEPAGE);
	spec.flows = b->flows;

	before = heap_bytes();
	require(engine_new(&b->engine, &spec, b->now_ns, &err) == 0);
	bytes = heap_bytes() - before + b->flows_bytes;
	free(backends);
	return bytes;
}

/* ----------------------------------------------------------- the packets */

static struct endpoint client(uint32_t i)
{
	uint32_t addr = htonl(0x0a000000u + i / PORTS);

	return (struct endpoint){addr_from_v4(addr),
				 htons((uint16_t)(PORTS_LO + i % PORTS))};
}

static uint32_t first_seq(uint32_t client, enum flow_side side)
{
	return client * 2654435761u + (side ? 12345 : 0);
}

/* The packet that @side of connection @c of @client sends next. */
static void put(struct bench *b, uint32_t client_index, struct conn *c,
		enum flow_side side, uint8_t flags, uint32_t payload,
		enum frame_csum csum)
{
	static const uint8_t options[] = {2, 4, 1460 >> 8, 1460 & 255,
					  1, 3, 3,	   7};
	static const uint8_t bytes[SLOT_BYTES];
	struct frame f = {
		.src = side ? c->backend : client(client_index),
		.dst = side ? c->nat : b->service,
		.seq = first_seq(client_index, side) + c->sent[side],
		.ack = flags & ACK
			       ? first_seq(client_index, !side) + c->sent[!side]
			       : 0,
		.window = 65535,
		.flags = flags,
		.payload = bytes,
		.payload_len = payload,
		.csum = csum,
	};

	if (flags & SYN) {
		f.options = options;
		f.options_len = sizeof(options);
	}
	c->sent[side] += payload + !!(flags & SYN) + !!(flags & FIN);
	b->len[b->slot] = frame_build(&f, b->ring + b->slot * SLOT_BYTES);
	b->slot = (b->slot + 1) % RING_SLOTS;
}

/* Where the engine sent a SYN to, and as whom. */
static void learn(struct conn *c, const struct packet *p)
{
	c->nat.addr = p->out_src;
	c->backend.addr = p->out_dst;
	memcpy(&c->nat.port, p->hdr + IP_HEADER_LEN, 2);
	memcpy(&c->backend.port, p->hdr + IP_HEADER_LEN + 2, 2);
}

/* ---------------------------------------------------- what is being timed */

static unsigned parse_slot(struct bench *b, unsigned i)
{
	unsigned slot = (b->slot + RING_SLOTS - BATCH + i) % RING_SLOTS;
	enum drop_reason why;

	if (parse_packet(&b->packets[i], b->ring + slot * SLOT_BYTES,
			 b->len[slot], &why) == 0)
		return 1;
	engine_refused(b->engine, why);
	return 0;
}

static unsigned decide_all(struct bench *b)
{
	unsigned sent = 0;

	engine_prepare(b->engine, b->packets, BATCH);
	for (unsigned i = 0; i < BATCH; i++)
		sent += engine_packet(b->engine, &b->packets[i], b->now_ns) ==
			VERDICT_SEND;
	engine_tick(b->engine, b->now_ns, 1024);
	return sent;
}

/* Not inlined: callgrind collects in these two (see README.md). */
__attribute__((noinline)) unsigned bench_path(struct bench *b);
__attribute__((noinline)) unsigned bench_only_engine(struct bench *b);

unsigned bench_path(struct bench *b)
{
	unsigned parsed = 0;

	for (unsigned i = 0; i < BATCH; i++)
		parsed += parse_slot(b, i);
	return parsed == BATCH ? decide_all(b) : 0;
}

unsigned bench_only_engine(struct bench *b)
{
	return decide_all(b);
}

static uint64_t instructions(const struct bench *b)
{
	uint64_t n = 0;

	if (b->counter >= 0 && read(b->counter, &n, sizeof(n)) != sizeof(n))
		n = 0;
	return n;
}

static void open_counter(struct bench *b)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_HW_INSTRUCTIONS,
				       .exclude_kernel = 1,
				       .exclude_hv = 1};

	b->counter = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* The last BATCH packets of the ring, all of which must be forwarded. */
static void run_batch(struct bench *b, bool with_parse, struct result *sum)
{
	uint64_t count, begin, end;
	unsigned sent;

	if (!with_parse)
		for (unsigned i = 0; i < BATCH; i++)
			require(parse_slot(b, i));
	count = instructions(b);
	begin = clock_ns();
	sent = with_parse ? bench_path(b) : bench_only_engine(b);
	end = clock_ns();
	sum->instructions += (double)(instructions(b) - count);
	if (sum->ns)
		sum->ns[sum->batches] = (double)(end - begin);
	sum->batches++;
	require(sent == BATCH);
	b->now_ns += BATCH_NS;
}

/* -------------------------------------------------------------- the mixes */

static void put_data(struct bench *b, uint32_t payload, enum frame_csum csum)
{
	for (unsigned i = 0; i < BATCH; i++) {
		uint32_t at = random_below(&b->random, b->n_flows);

		put(b, at, &b->conns[at], (enum flow_side)(i % FLOW_SIDES),
		    ACK | PSH, payload, csum);
	}
}

/* One step of each of 64 connections, which stand at different stages. */
static void put_short(struct bench *b)
{
	static const struct {
		enum flow_side side;
		uint8_t flags;
	} steps[STAGES] = {
		{FLOW_ORIG, SYN},	{FLOW_REPLY, SYN | ACK},
		{FLOW_ORIG, ACK},	{FLOW_REPLY, FIN | ACK},
		{FLOW_ORIG, FIN | ACK}, {FLOW_REPLY, ACK},
	};

	for (unsigned i = 0; i < BATCH; i++) {
		unsigned stage = b->stage[i];

		if (stage == 0) {
			b->fresh_client[i] = b->next_client++;
			b->fresh[i] = (struct conn){0};
		}
		put(b, b->fresh_client[i], &b->fresh[i], steps[stage].side,
		    steps[stage].flags, 0, FRAME_FULL);
	}
}

static void step_short(struct bench *b)
{
	for (unsigned i = 0; i < BATCH; i++) {
		if (b->stage[i] == 0)
			learn(&b->fresh[i], &b->packets[i]);
		b->stage[i] = (b->stage[i] + 1) % STAGES;
	}
}

static void put_syn(struct bench *b)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct conn c = {0};

		put(b, b->next_client++, &c, FLOW_ORIG, SYN, 0, FRAME_FULL);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct cost {
	double ns, instructions; /* per packet */
};

static struct cost run(struct bench *b, enum mix mix, uint32_t payload,
		       enum frame_csum csum, bool with_parse, uint64_t packets)
{
	uint64_t batches = packets / BATCH;
	struct result sum = {0};
	struct cost cost;

	sum.ns = calloc(batches + 1, sizeof(*sum.ns));
	require(sum.ns);
	for (uint64_t n = 0; n < batches; n++) {
		switch (mix) {
		case MIX_DATA: put_data(b, payload, csum); break;
		case MIX_SHORT: put_short(b); break;
		case MIX_SYN: put_syn(b); break;
		case MIXES: break;
		}
		run_batch(b, with_parse, &sum);
		if (mix == MIX_SHORT)
			step_short(b);
	}
	qsort(sum.ns, batches, sizeof(*sum.ns), compare);
	cost.ns = sum.ns[batches / 2] / BATCH;
	cost.instructions = sum.instructions / (double)(batches * BATCH);
	free(sum.ns);
	return cost;
}

/* ------------------------------------------------------------------ start */

/* All connections through their handshakes, a batch of them at a time. */
static void establish(struct bench *b)
{
	static const uint8_t flags[3] = {SYN, SYN | ACK, ACK};
	struct result unused = {0};

	require(b->n_flows % BATCH == 0);
	for (uint32_t from = 0; from < b->n_flows; from += BATCH) {
		for (unsigned step = 0; step < 3; step++) {
			for (unsigned i = 0; i < BATCH; i++)
				put(b, from + i, &b->conns[from + i],
				    step == 1 ? FLOW_REPLY : FLOW_ORIG,
				    flags[step], 0, FRAME_FULL);
			run_batch(b, true, &unused);
			for (unsigned i = 0; step == 0 && i < BATCH; i++)
				learn(&b->conns[from + i], &b->packets[i]);
		}
	}
	b->next_client = b->n_flows;
	require(engine_flows(b->engine)->used == b->n_flows);
}

static uint32_t count_established(const struct bench *b)
{
	uint32_t n = 0;

	for (struct flow *f = flow_next(engine_flows(b->engine), 0); f;
	     f = flow_next(engine_flows(b->engine),
			   flow_index(engine_flows(b->engine), f) + 1))
		n += f->tcp.state == TCP_ESTABLISHED;
	return n;
}

static void setup(struct bench *b, uint32_t flows)
{
	size_t bytes;
	double each;

	memset(b, 0, sizeof(*b));
	b->n_flows = flows / BATCH * BATCH;
	b->service = frame_endpoint("198.18.0.1", 20000);
	b->random.state = 1;
	b->now_ns = NS_PER_S;
	b->ring = calloc(RING_SLOTS, SLOT_BYTES);
	b->conns = calloc(b->n_flows, sizeof(*b->conns));
	require(b->ring && b->conns);
	for (unsigned i = 0; i < BATCH; i++)
		b->stage[i] = 0;
	open_counter(b);
	bytes = make_engine(b);
	establish(b);
	/* The pools have more ports than there are flows: one each counts. */
	bytes -= (size_t)engine_backends(b->engine, 0) * PORTS * 2;
	each = (double)bytes / engine_flows(b->engine)->size + 2;
	printf("# %u flows: %.1f bytes each, index and port included\n",
	       b->n_flows, each);
	if (flows >= 65536)
		require(backends_min ||
			each - BYTES_FIXED / (double)flows <= BYTES_A_FLOW_MAX);
}

static void teardown(struct bench *b)
{
	require(engine_counters(b->engine)->received ==
		engine_counters(b->engine)->forwarded);
	if (b->counter >= 0)
		close(b->counter);
	engine_free(b->engine);
	munmap(b->flows, b->flows_bytes);
	free(b->conns);
	free(b->ring);
}

static const char *per_packet(double n)
{
	static char text[2][32];
	static unsigned turn;

	turn ^= 1;
	if (n > 0)
		snprintf(text[turn], sizeof(text[turn]), "%.0f", n);
	else
		snprintf(text[turn], sizeof(text[turn]), "n/a");
	return text[turn];
}

static void line(struct bench *b, enum mix mix, uint32_t bytes,
		 enum frame_csum csum, uint64_t packets)
{
	uint32_t payload = bytes ? bytes - HEADERS : 0;
	struct cost path, engine;

	/* The other mixes must find no half-finished connections of ours. */
	require(packets / BATCH % STAGES == 0);
	run(b, mix, payload, csum, true,
	    packets / 4 / (BATCH * STAGES) * (BATCH * STAGES));
	path = run(b, mix, payload, csum, true, packets);
	engine = run(b, mix, payload, csum, false, packets);
	printf("%-8u %-6s %5u %-8s %8.1f %8.1f %8s %8s\n", b->n_flows,
	       mix_name[mix], bytes ? bytes : HEADERS,
	       csum == FRAME_FULL ? "full" : "partial", path.ns, engine.ns,
	       per_packet(path.instructions), per_packet(engine.instructions));
	fflush(stdout);
}

static void bench(uint32_t flows, uint64_t packets, int only_mix,
		  uint32_t only_bytes)
{
	struct bench *b = calloc(1, sizeof(*b));
	uint64_t unit = BATCH * STAGES;

	require(b);
	packets = (packets + unit - 1) / unit * unit;
	setup(b, flows);
	for (int mix = 0; mix < MIXES; mix++) {
		if (only_mix >= 0 && mix != only_mix)
			continue;
		if (mix != MIX_DATA) {
			line(b, (enum mix)mix, 0, FRAME_FULL, packets);
			continue;
		}
		if (only_bytes != 1500)
			line(b, MIX_DATA, 64, FRAME_FULL, packets);
		if (only_bytes != 64) {
			line(b, MIX_DATA, 1500, FRAME_FULL, packets);
			line(b, MIX_DATA, 1500, FRAME_PARTIAL, packets);
		}
	}
	require(count_established(b) == b->n_flows);
	teardown(b);
	free(b);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: bench_engine [--short] [--flows N] [--packets N]\n"
		"                    [--mix data|short|syn] [--bytes 64|1500] [--huge]\n"
		"                    [--scheduler NAME] [--backends N]\n"
		"  default: 1000, 100000 and 1000000 flows, all mixes\n");
	return 2;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{"short", no_argument, NULL, 's'},
		{"flows", required_argument, NULL, 'f'},
		{"packets", required_argument, NULL, 'p'},
		{"mix", required_argument, NULL, 'm'},
		{"bytes", required_argument, NULL, 'b'},
		{"huge", no_argument, NULL, 'h'},
		{"scheduler", required_argument, NULL, 'S'},
		{"backends", required_argument, NULL, 'B'},
		{0},
	};
	uint32_t sizes[] = {1000, 100000, 1000000}, bytes = 0;
	unsigned n_sizes = 3;
	uint64_t packets = 2000000;
	int c, mix = -1;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			packets = 20000;
			n_sizes = 2;
			break;
		case 'f':
			sizes[0] = (uint32_t)strtoul(optarg, NULL, 10);
			n_sizes = 1;
			break;
		case 'h': huge_pages = true; break;
		case 'p': packets = strtoull(optarg, NULL, 10); break;
		case 'b': bytes = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'S':
			scheduler = sched_by_name(optarg);
			if (scheduler == SCHED_KINDS)
				return usage();
			break;
		case 'B':
			backends_min = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'm':
			for (mix = 0; mix < MIXES; mix++)
				if (strcmp(optarg, mix_name[mix]) == 0)
					break;
			if (mix == MIXES)
				return usage();
			break;
		default: return usage();
		}
	}
	/* The index is the engine's own allocation: malloc is told. */
	if (huge_pages && !getenv("GLIBC_TUNABLES")) {
		setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 1);
		execv("/proc/self/exe", argv);
	}
	printf("%-8s %-6s %5s %-8s %8s %8s %8s %8s\n", "flows", "mix", "bytes",
	       "checksum", "path_ns", "eng_ns", "path_in", "eng_in");
	for (unsigned i = 0; i < n_sizes; i++)
		if (sizes[i] >= BATCH)
			bench(sizes[i], packets, mix, bytes);
	return 0;
}
