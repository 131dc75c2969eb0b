// SPDX-License-Identifier: MIT
// One WebSocket to whichever instance answers; it comes back by itself. Waits
// are random (full jitter), so that not all come back at once.

const ANSWER_MS = 10000; // for a welcome, for a pong
const FIRST_MS = 500; // of the doubling after the first try
const LONGEST_MS = 15000;
const STEADY_MS = 10000; // so long connected: the next loss is a first one
const FLOOD_MS = 5000;
const BYE = 1000, TAKEN_OVER = 4000, FLOOD = 4002, FULL = 4003;

export class Socket {
	state = 'ended'; // connecting, waiting, open (welcomed); begins with now()
	due = 0; // waiting: until then
	reason = ''; // ended: what the server said; empty: the user left
	full = false; // waiting: because the server has no place
	#ws = null;
	#tries = 0;
	#spread = 200;
	#ping = 20;
	#back = 0; // the server drains: come back then
	#timers = {};

	// hello() gives what is said first; heard(object); changed(): .state did.
	constructor(hello, heard, changed) {
		Object.assign(this, { hello, heard, changed });
		addEventListener('online', () => this.now());
		addEventListener('offline', () => this.check());
		addEventListener('pagehide', () => this.#ws?.close(BYE));
		addEventListener('pageshow', e => e.persisted && this.now());
		document.addEventListener('visibilitychange', () => document.hidden || this.check());
	}

	// Returns false if it is not connected.
	say(object) {
		if (this.state !== 'open')
			return false;
		this.#ws.send(JSON.stringify(object));
		return true;
	}

	// Something woke up: is the connection alive?
	check() {
		if (this.state === 'waiting' && navigator.onLine)
			this.now();
		else if (this.state === 'open')
			this.#askPong();
	}

	now() {
		if (this.state === 'waiting' || this.state === 'ended')
			this.#connect();
		else
			this.check();
	}

	// Not on this connection: on the next one.
	again() {
		this.#lost();
	}

	end() {
		this.#drop();
		this.reason = '';
		this.#set('ended');
	}

	#set(state) {
		this.state = state;
		this.changed();
	}

	#after(name, ms, action) {
		clearTimeout(this.#timers[name]);
		this.#timers[name] = setTimeout(action, ms);
	}

	// Closing a dead connection takes minutes: it is not waited for.
	#drop() {
		for (const name in this.#timers)
			clearTimeout(this.#timers[name]);
		this.#timers = {};
		const ws = this.#ws;
		this.#ws = null;
		ws?.close(BYE);
	}

	#connect() {
		this.#drop();
		const ws = new WebSocket(location.origin.replace('http', 'ws') + '/ws', 'chat.1');
		this.#ws = ws;
		ws.onopen = () => ws === this.#ws && ws.send(JSON.stringify(this.hello()));
		ws.onmessage = event => ws === this.#ws && this.#take(JSON.parse(event.data));
		ws.onclose = event => ws === this.#ws && this.#lost(event.code, event.reason);
		this.#after('answer', ANSWER_MS, () => this.#lost());
		this.#set('connecting');
	}

	#take(object) {
		clearTimeout(this.#timers.answer);
		this.#timers.answer = 0;
		if (object.t === 'welcome') {
			this.#spread = object.spread_ms;
			this.#ping = object.ping_s;
			this.#after('steady', STEADY_MS, () => this.#tries = 0);
			this.#set('open');
			this.#pingLater();
		}
		if (object.t === 'reconnect') {
			this.#back = Date.now() + object.in_ms;
			this.#after('back', object.in_ms, () => this.#connect());
			return;
		}
		if (object.t !== 'pong')
			this.heard(object);
	}

	#pingLater() {
		this.#after('ping', this.#ping * 1000, () => this.#askPong());
	}

	#askPong() {
		this.say({ t: 'ping', n: Date.now() });
		if (!this.#timers.answer)
			this.#after('answer', ANSWER_MS, () => this.#lost());
		this.#pingLater();
	}

	#lost(code, reason = '') {
		this.#drop();
		if (code === TAKEN_OVER) {
			this.reason = reason;
			this.#set('ended');
			return;
		}
		this.full = code === FULL;
		const most = this.#tries === 0 ? this.#spread : Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#tries);
		let wait = Math.random() * most;
		this.#tries++;
		if (this.#back > Date.now())
			wait = this.#back - Date.now();
		if (code === FLOOD)
			wait += FLOOD_MS;
		this.due = Date.now() + wait;
		this.#after('connect', wait, () => this.#connect());
		this.#set('waiting');
	}
}
