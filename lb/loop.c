/* SPDX-License-Identifier: MIT */
/*
 * loop.c - one thread, one poll(): captured frames, rtnetlink, nftables,
 * signals, checks, the control channel, and the engine's next deadline
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "app.h"
#include "clock.h"
#include "core/time.h"
#include "guarding.h"
#include "log.h"
#include "network.h"

#define BUSY_FRAMES_MAX 2    /* frames per turn at a light load */
#define POLL_MAX_MS	1000 /* housekeeping */
#define OTHER_FDS	5    /* beside the captures and the channel */

static int poll_timeout_ms(uint64_t next_ns)
{
	uint64_t now_ns = clock_now_ns();

	if (next_ns <= now_ns)
		return 0;
	if (next_ns - now_ns >= POLL_MAX_MS * NS_PER_MS)
		return POLL_MAX_MS;
	return (int)((next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/*
 * The answer often follows a lone packet closely: a short poll before going to
 * sleep saves the wake-up. After a batch it is left out, because other
 * processes have work to do then.
 */
static int wait_for(const struct app *app, struct pollfd *fds, nfds_t n,
		    int timeout_ms)
{
	uint64_t until_ns;
	int ready;

	if (app->config.busy_poll_us == 0 || app->frames == 0 ||
	    app->frames > BUSY_FRAMES_MAX || timeout_ms == 0)
		return poll(fds, n, timeout_ms);
	until_ns = clock_now_ns() + app->config.busy_poll_us * 1000ull;
	do {
		ready = poll(fds, n, 0);
	} while (ready == 0 && clock_now_ns() < until_ns);
	return ready ? ready : poll(fds, n, timeout_ms);
}

/* Not only with packets: what somebody asked for is done. */
static bool is_busy(const struct app *app, const struct pollfd *fds)
{
	bool busy = app->change.phase != CHANGE_NONE;

	for (unsigned i = 0; i < OTHER_FDS + CHANNEL_FDS; i++)
		busy |= fds[i].revents != 0;
	return busy;
}

bool loop_turn(struct app *app, int timeout_ms)
{
	const uint64_t before_ns = clock_now_ns();
	struct pollfd fds[TAPS_FDS + OTHER_FDS + CHANNEL_FDS], *more;

	more = fds + taps_poll(&app->taps, fds);
	more[0] = (struct pollfd){app->signals.fd, POLLIN, 0};
	more[1] = (struct pollfd){netlink_fd(app->netlink), POLLIN, 0};
	more[2] = (struct pollfd){checker_fd(app->checker), POLLIN, 0};
	more[3] = (struct pollfd){guard_watch_fd(app->guard), POLLIN, 0};
	more[4] = (struct pollfd){planner_fd(app), planner_events(app), 0};
	channel_poll(app, more + OTHER_FDS);
	watch_turn_ends(app, before_ns);
	if (wait_for(app, fds, (nfds_t)(more - fds) + OTHER_FDS + CHANNEL_FDS,
		     timeout_ms) == -1 &&
	    errno != EINTR) {
		log_warn("poll: %s", strerror(errno));
		return false;
	}
	watch_turn_begins(app, clock_now_ns(), is_busy(app, more));
	if (more[3].revents)
		guarding_read(app);
	app->frames = taps_read(&app->taps, fds, before_ns);
	if (more[0].revents)
		signals_read(app);
	if (more[1].revents)
		network_read(app);
	if (more[4].revents)
		reload_read(app);
	channel_read(app, more + OTHER_FDS);
	return true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool app_run(struct app *app)
{
	while (!app->signals.stops) {
		const uint64_t reach_ns = reach_report(app);
		uint64_t next_ns, probes_ns;

		checker_read(app->checker, clock_now_ns());
		next_ns = forward_tick(app->forward);
		probes_ns = checker_start(app->checker, clock_now_ns());
		reach_ask(app);
		next_ns = earlier(next_ns, probes_ns);
		next_ns = earlier(next_ns, reach_ns);
		next_ns = earlier(next_ns, presence_turn(app));
		next_ns = earlier(next_ns, reload_turn(app));
		next_ns = earlier(next_ns, change_turn(app));
		next_ns = earlier(next_ns, departure_turn(app));
		next_ns = earlier(next_ns, channel_turn(app));
		next_ns = earlier(next_ns, supervision_turn(app));
		next_ns = earlier(next_ns, publish_turn(app));
		if (!loop_turn(app, poll_timeout_ms(next_ns)))
			return false;
		presence_take_wanted(app);
		watch_each_second(app);
	}
	return true;
}
