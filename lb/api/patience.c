/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/socket.h>

#include "api/patience.h"
#include "core/time.h"

void patience_init(struct patience *p)
{
	memset(p, 0, sizeof(*p));
	(void)mtx_init(&p->lock, mtx_plain);
}

void patience_free(struct patience *p)
{
	mtx_destroy(&p->lock);
}

void patience_begin(struct patience *p, int fd, uint64_t now_ns)
{
	unsigned place = PATIENCE_MAX;

	(void)mtx_lock(&p->lock);
	for (unsigned i = 0; i < PATIENCE_MAX; i++) {
		if (p->waits[i].fd == fd) {
			place = i;
			break;
		}
		if (!p->waits[i].fd && place == PATIENCE_MAX)
			place = i;
	}
	if (fd > 0 && place < PATIENCE_MAX) {
		p->waits[place].fd = fd;
		p->waits[place].since_ns = now_ns;
	}
	(void)mtx_unlock(&p->lock);
}

void patience_end(struct patience *p, int fd)
{
	(void)mtx_lock(&p->lock);
	for (unsigned i = 0; i < PATIENCE_MAX; i++)
		if (p->waits[i].fd == fd)
			p->waits[i].fd = 0;
	(void)mtx_unlock(&p->lock);
}

/* Under the lock: whoever closes a descriptor takes it off the list first. */
void patience_tick(struct patience *p, unsigned limit_s, uint64_t now_ns)
{
	(void)mtx_lock(&p->lock);
	for (unsigned i = 0; i < PATIENCE_MAX; i++)
		if (p->waits[i].fd &&
		    now_ns - p->waits[i].since_ns > limit_s * NS_PER_S) {
			(void)shutdown(p->waits[i].fd, SHUT_RDWR);
			p->waits[i].fd = 0;
		}
	(void)mtx_unlock(&p->lock);
}
