// SPDX-License-Identifier: MIT
// What was said and is not acknowledged yet. It is sent again, under the same
// mid, on every new connection, and survives a reload of the tab. In order, and
// slower than what the server takes for a flood.
import { tab } from './dom.js';

const BURST = 20; // of the server's 30
const PACE_MS = 120; // of its 100
const AGAIN_MS = 1000; // after "too many at once"

function newMid() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return btoa(String.fromCharCode(...bytes)).replace(/[+/]/g, c => c === '+' ? '-' : '_').slice(0, 22);
}

// An entry: mid room text ts, metadata or none, tried, failed: why, or ''.
export class Outbox {
	entries = new Map();
	#tokens = BURST;
	#filled = 0;
	#connection = 1;
	#timer = 0;

	// say(object): false if it could not; ready(room): it is joined.
	constructor(say, ready) {
		Object.assign(this, { say, ready });
		for (const entry of tab.get('outbox') ?? [])
			this.entries.set(entry.mid, entry);
	}

	add(room, text, metadata) {
		const entry = { mid: newMid(), room, text, metadata, ts: Date.now(), tried: false, failed: '' };
		this.entries.set(entry.mid, entry);
		this.#keep();
		return entry;
	}

	of(room) {
		return [...this.entries.values()].filter(entry => entry.room === room);
	}

	delete(mid) {
		this.entries.delete(mid);
		this.#keep();
	}

	fail(entry, why) {
		entry.failed = why;
		this.#keep();
	}

	retry(entry) {
		entry.failed = '';
		entry.sent = 0;
		this.#keep();
		this.pump();
	}

	slower(entry) {
		entry.sent = 0;
		this.#later(AGAIN_MS);
	}

	// All that is not acknowledged is to be sent once more.
	reset() {
		this.#connection++;
	}

	pump() {
		const now = Date.now();
		this.#tokens = Math.min(BURST, this.#tokens + (now - this.#filled) / PACE_MS);
		this.#filled = now;
		for (const entry of this.entries.values()) {
			if (entry.failed || entry.sent === this.#connection || !this.ready(entry.room))
				continue;
			if (this.#tokens < 1) {
				this.#later(PACE_MS);
				break;
			}
			if (!this.say(objectOf(entry)))
				break;
			this.#tokens--;
			entry.sent = this.#connection;
			entry.tried = true;
		}
		this.#keep();
	}

	#later(ms) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.pump(), ms);
	}

	#keep() {
		tab.set('outbox', [...this.entries.values()].map(({ sent, item, ...entry }) => entry));
	}
}

function objectOf({ mid, room, text, metadata, tried }) {
	return room[0] === '@'
		? { t: 'dm', to: room.slice(1), mid, text, retry: tried }
		: { t: 'msg', room, mid, text, metadata, retry: tried };
}
