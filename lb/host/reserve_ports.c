/* SPDX-License-Identifier: MIT */
/*
 * reserve_ports.c - reads and writes the kernel's lists of ports
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/reserve_ports.h"

/*
 * The kernel shows only as much of its list as one read() takes, so one read
 * must take all of it: at most every second port, 5 digits and a comma each.
 */
#define READ_CHUNK (256u << 10)

void port_set_add_range(struct port_set *s, unsigned lo, unsigned hi)
{
	unsigned port;

	for (port = lo; port <= hi; port++)
		port_set_add(s, port);
}

void port_set_add_all(struct port_set *s, const struct port_set *other)
{
	size_t i;

	for (i = 0; i < PORT_SET_WORDS; i++)
		s->words[i] |= other->words[i];
}

void port_set_remove_all(struct port_set *s, const struct port_set *other)
{
	size_t i;

	for (i = 0; i < PORT_SET_WORDS; i++)
		s->words[i] &= ~other->words[i];
}

bool port_set_equal(const struct port_set *a, const struct port_set *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

unsigned port_set_count(const struct port_set *s, unsigned lo, unsigned hi)
{
	unsigned port, count = 0;

	for (port = lo; port <= hi; port++)
		count += port_set_has(s, port);
	return count;
}

bool port_parse(const char *text, char **end, unsigned *port)
{
	unsigned long value;

	if (*text < '0' || *text > '9')
		return false;
	value = strtoul(text, end, 10);
	*port = (unsigned)value;
	return value <= PORT_MAX;
}

int port_set_parse(struct port_set *s, const char *text)
{
	unsigned lo, hi;
	char *end;

	text += strspn(text, " \t\n");
	while (*text) {
		if (!port_parse(text, &end, &lo))
			return -EINVAL;
		hi = lo;
		if (*end == '-' && !port_parse(end + 1, &end, &hi))
			return -EINVAL;
		if (hi < lo)
			return -EINVAL;
		port_set_add_range(s, lo, hi);
		text = end + strspn(end, ", \t\n");
		if (text == end && *text)
			return -EINVAL;
	}
	return 0;
}

void port_set_print(const struct port_set *s, FILE *file)
{
	const char *comma = "";
	unsigned lo, hi;

	for (lo = 0; lo <= PORT_MAX; lo = hi + 1) {
		hi = lo;
		if (!port_set_has(s, lo))
			continue;
		while (hi < PORT_MAX && port_set_has(s, hi + 1))
			hi++;
		if (hi == lo)
			fprintf(file, "%s%u", comma, lo);
		else
			fprintf(file, "%s%u-%u", comma, lo, hi);
		comma = ",";
	}
}

char *read_whole(int fd)
{
	size_t len = 0, size = READ_CHUNK;
	char *text = malloc(size), *larger;
	ssize_t n;

	if (!text || lseek(fd, 0, SEEK_SET) == -1)
		goto fail;
	for (;;) {
		n = read(fd, text + len, size - len - 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			goto fail;
		if (n == 0)
			break;
		len += (size_t)n;
		if (size - len > READ_CHUNK / 2)
			continue;
		size *= 2;
		larger = realloc(text, size);
		if (!larger)
			goto fail;
		text = larger;
	}
	text[len] = '\0';
	return text;
fail:
	free(text);
	return NULL;
}

int reserved_ports_read(int fd, struct port_set *out)
{
	char *text = read_whole(fd);
	int code;

	memset(out, 0, sizeof(*out));
	if (!text)
		return -errno;
	code = port_set_parse(out, text);
	free(text);
	return code;
}

int reserved_ports_write(int fd, const struct port_set *ports)
{
	char *text = NULL;
	size_t len = 0, done = 0;
	FILE *file = open_memstream(&text, &len);
	int code = 0;
	ssize_t n;

	if (!file)
		return -errno;
	port_set_print(ports, file);
	(void)fputc('\n', file); /* alone it clears the list */
	if (fclose(file) == EOF) {
		free(text);
		return -ENOMEM;
	}

	/*
	 * At offset 0 the kernel replaces its list, at other offsets it adds.
	 * It takes a text longer than a page in parts.
	 */
	while (done < len) {
		n = pwrite(fd, text + done, len - done, (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			code = n == -1 ? -errno : -EIO;
			break;
		}
		done += (size_t)n;
	}
	free(text);
	return code;
}

/* Called for each socket; @arg comes from the caller. */
typedef void socket_fn(const struct endpoint *local, unsigned state, void *arg);

/* Reads exactly @digits hexadecimal digits and advances; false if too few. */
static bool take_hex(const char **text, unsigned digits, unsigned *out)
{
	char number[9] = "";
	char *end;

	assert(digits < sizeof(number));
	memcpy(number, *text, strnlen(*text, digits));
	*out = (unsigned)strtoul(number, &end, 16);
	*text += digits;
	return end == number + digits;
}

static bool take_char(const char **text, char c)
{
	return *(*text)++ == c;
}

/*
 * "0100007F:1F90": the address in 32-bit words, stored in network order and
 * printed as host numbers: one word for IPv4, four for IPv6.
 */
static bool take_endpoint(const char **text, bool v6, struct endpoint *out)
{
	unsigned words[4] = {0}, port, i;

	for (i = 0; i < (v6 ? 4 : 1); i++) {
		if (!take_hex(text, 8, &words[i]))
			return false;
	}
	if (!take_char(text, ':') || !take_hex(text, 4, &port))
		return false;
	if (v6)
		memcpy(out->addr.b, words, sizeof(words));
	else
		out->addr = addr_from_v4(words[0]);
	out->port = htons((uint16_t)port);
	return true;
}

/* "   0: LOCAL REMOTE STATE ..." */
static bool parse_socket(const char *line, bool v6, struct endpoint *local,
			 unsigned *state)
{
	struct endpoint remote;
	const char *text = strchr(line, ':');

	if (!text)
		return false;
	text++;
	return take_char(&text, ' ') && take_endpoint(&text, v6, local) &&
	       take_char(&text, ' ') && take_endpoint(&text, v6, &remote) &&
	       take_char(&text, ' ') && take_hex(&text, 2, state);
}

static int each_socket(const char *path, bool v6, socket_fn *fn, void *arg)
{
	FILE *file = fopen(path, "re");
	struct endpoint local;
	unsigned state;
	char line[512];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (parse_socket(line, v6, &local, &state))
			fn(&local, state, arg);
	}
	(void)fclose(file);
	return 0;
}

static int each_tcp_socket(socket_fn *fn, void *arg)
{
	int code = each_socket("/proc/net/tcp", false, fn, arg);

	if (code)
		return code;
	code = each_socket("/proc/net/tcp6", true, fn, arg);
	return code == -ENOENT ? 0 : code; /* the kernel has no IPv6 */
}

bool port_addr_is_any(const struct ip_addr *a)
{
	static const struct ip_addr any6;
	const struct ip_addr any4 = addr_from_v4(INADDR_ANY);

	return addr_equal(a, &any6) || addr_equal(a, &any4);
}

struct bound {
	struct port_set *ports;
	const struct ip_addr *addrs;
	size_t n_addrs;
};

static void add_bound(const struct endpoint *local, unsigned state, void *arg)
{
	const struct bound *b = arg;
	bool ours = port_addr_is_any(&local->addr);
	size_t i;

	(void)state;
	for (i = 0; i < b->n_addrs && !ours; i++)
		ours = addr_equal(&local->addr, &b->addrs[i]) ||
		       port_addr_is_any(&b->addrs[i]);
	if (ours)
		port_set_add(b->ports, ntohs(local->port));
}

int bound_ports_read(struct port_set *out, const struct ip_addr *addrs,
		     size_t n_addrs)
{
	struct bound b = {out, addrs, n_addrs};

	return each_tcp_socket(add_bound, &b);
}

struct occupants {
	const struct endpoint *ep;
	unsigned closing, others;
};

static void count_occupant(const struct endpoint *local, unsigned state,
			   void *arg)
{
	struct occupants *o = arg;

	if (local->port != o->ep->port ||
	    (!port_addr_is_any(&local->addr) &&
	     !addr_equal(&local->addr, &o->ep->addr)))
		return;
	if (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 ||
	    state == TCP_CLOSING || state == TCP_LAST_ACK ||
	    state == TCP_TIME_WAIT)
		o->closing++;
	else
		o->others++;
}

bool bound_only_closing(const struct endpoint *ep)
{
	struct occupants o = {.ep = ep};

	return each_tcp_socket(count_occupant, &o) == 0 && o.closing > 0 &&
	       o.others == 0;
}
