/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "net/rtnl.h"

/*
 * A table that changes all the time never gives a consistent dump. After this
 * many attempts the notifications of those changes must correct the rest.
 */
#define DUMP_ATTEMPTS 8

/* The state of one request. */
struct answer {
	rtnl_fn *fn;
	void *arg;
	bool complete;
	bool interrupted; /* the table changed meanwhile: read it again */
	int error;	  /* negative errno of the kernel */
};

int rtnl_open(struct rtnl *r)
{
	const struct timeval timeout = {.tv_usec = RTNL_TIMEOUT_MS * 1000L};

	r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->socket)
		return -errno;
	if (mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) == -1)
		return -errno;
	if (setsockopt(mnl_socket_get_fd(r->socket), SOL_SOCKET, SO_RCVTIMEO,
		       &timeout, sizeof(timeout)) == -1)
		return -errno;
	return 0;
}

void rtnl_close(struct rtnl *r)
{
	if (r->socket)
		mnl_socket_close(r->socket);
	r->socket = NULL;
}

/* NLMSG_ERROR and NLMSG_DONE both begin with a negative errno or 0. */
static int leading_error(const struct nlmsghdr *nlh)
{
	int error = 0;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	return error;
}

static void take_message(struct answer *answer, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		answer->interrupted = true;

	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP: return;
	case NLMSG_ERROR:
	case NLMSG_DONE:
		answer->error = leading_error(nlh);
		answer->complete = true;
		return;
	default:
		answer->fn(nlh, answer->arg);
		if (!(nlh->nlmsg_flags & NLM_F_MULTI))
			answer->complete = true;
	}
}

static ssize_t receive(struct rtnl *r)
{
	ssize_t len;

	do {
		len = mnl_socket_recvfrom(r->socket, r->buffer,
					  sizeof(r->buffer));
	} while (len == -1 && errno == EINTR);
	if (len == -1)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return len;
}

static int exchange(struct rtnl *r, struct nlmsghdr *request,
		    struct answer *answer)
{
	request->nlmsg_seq = ++r->seq;
	if (mnl_socket_sendto(r->socket, request, request->nlmsg_len) == -1)
		return -errno;

	while (!answer->complete) {
		const struct nlmsghdr *nlh = (const void *)r->buffer;
		ssize_t received = receive(r);
		int left = (int)received;

		if (received < 0)
			return (int)received;
		for (; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			if (nlh->nlmsg_seq == request->nlmsg_seq)
				take_message(answer, nlh);
	}
	return answer->error;
}

int rtnl_ask(struct rtnl *r, struct nlmsghdr *request, rtnl_fn *fn, void *arg)
{
	struct answer answer = {.fn = fn, .arg = arg};

	return exchange(r, request, &answer);
}

int rtnl_dump(struct rtnl *r, uint16_t type, uint8_t family, rtnl_fn *fn,
	      void *arg)
{
	_Alignas(struct nlmsghdr) char
		request[MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct rtgenmsg))];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
	struct rtgenmsg *gen;
	int attempt;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	gen = mnl_nlmsg_put_extra_header(nlh, sizeof(*gen));
	gen->rtgen_family = family;

	for (attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
		struct answer answer = {.fn = fn, .arg = arg};
		int ret = exchange(r, nlh, &answer);

		if (ret || !answer.interrupted)
			return ret;
	}
	return 0;
}
