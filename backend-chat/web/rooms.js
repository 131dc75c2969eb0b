// SPDX-License-Identifier: MIT
// What is known of each room: its newest messages in order, each once, and how
// far they were heard. No element of the page.
//
// An item is a message of the server, or one of ours on its way (.state), or
// {kind: 'gap' | 'presence' | 'note'}. Messages with an id stand in its order;
// the others where they came.

export const SHOWN = 500; // items that a room keeps

// Ids are EPOCH-SEQ, each up to 2^64: compared as digits.
export function compareIds(a, b) {
	const [x, y] = [a.split('-'), b.split('-')];
	for (const i of [0, 1])
		if (x[i] !== y[i])
			return x[i].length - y[i].length || (x[i] < y[i] ? -1 : 1);
	return 0;
}

// Rooms are the same whatever the case of their ASCII letters.
export function roomKey(name) {
	return name.normalize('NFC').replace(/[A-Z]/g, c => c.toLowerCase());
}

export class Room {
	items = [];
	cursor = ''; // heard everything up to this id
	topic = '';
	e2ee = false;
	joined = false;
	unread = 0;
	members = new Map(); // nick -> instance
	unnamed = 0;
	loaded = false; // its history was asked for
	loading = false;
	more = true; // there is older history
	detached = false; // shows old history: what is new is only counted
	draft = '';
	#ids = new Map();
	#mids = new Map();

	// changes: inserted(room, item, index), changed(room, item), removed(room, item)
	constructor(name, changes) {
		this.name = name;
		this.changes = changes;
	}

	get isDirect() {
		return this.name[0] === '@';
	}

	get first() {
		return this.items.find(item => item.id && !item.kind)?.id;
	}

	find({ id, mid }) {
		return this.#ids.get(id) ?? this.#mids.get(mid);
	}

	// Returns whether it was not known.
	add(item) {
		const old = this.find(item);
		if (!old)
			this.#insert(item);
		else if (item.id && !old.id)
			this.identify(old, item.id);
		return !old;
	}

	// A message without an id has got one, and with it its place.
	identify(item, id) {
		const i = this.items.indexOf(item);
		const before = this.items.slice(0, i).findLast(one => one.id);
		const after = this.items.slice(i + 1).find(one => one.id);
		item.id = id;
		this.#ids.set(id, item);
		if ((!before || compareIds(before.id, id) < 0) && (!after || compareIds(after.id, id) > 0)) {
			this.changes.changed(this, item);
		} else {
			this.remove(item);
			this.#insert(item);
		}
	}

	remove(item) {
		const i = this.items.indexOf(item);
		if (i < 0)
			return;
		this.items.splice(i, 1);
		if (this.#ids.get(item.id) === item)
			this.#ids.delete(item.id);
		if (this.#mids.get(item.mid) === item)
			this.#mids.delete(item.mid);
		this.changes.removed(this, item);
	}

	gap(from, to) {
		const key = 'gap ' + from;
		if (this.#ids.has(key))
			return;
		const [a, b] = [from.split('-'), to.split('-')];
		const missing = a[0] === b[0] ? Number(BigInt(b[1]) - BigInt(a[1]) - 1n) : 0;
		const item = { kind: 'gap', id: from, missing };
		this.#insert(item);
		this.#ids.set(key, item);
	}

	// People who came and went, folded into the last line if that is one.
	presence(join, part) {
		if (this.detached)
			return;
		let item = this.items.at(-1);
		if (item?.kind !== 'presence') {
			item = { kind: 'presence', join: [], part: [] };
			this.#insert(item);
		}
		for (const nick of join)
			move(nick, item.part, item.join);
		for (const nick of part)
			move(nick, item.join, item.part);
		if (item.join.length + item.part.length > 0)
			this.changes.changed(this, item);
		else
			this.remove(item);
	}

	clear() {
		this.items = [];
		this.#ids.clear();
		this.#mids.clear();
	}

	#insert(item) {
		let i = this.items.length;
		// What we are sending stays last, behind what has arrived.
		if (!item.state && !item.kind)
			while (i > 0 && this.items[i - 1].state === 'sending')
				i--;
		if (item.id)
			i = this.#place(item, i);
		else if (this.isDirect)
			while (i > 0 && this.items[i - 1].ts > item.ts)
				i--;
		this.items.splice(i, 0, item);
		if (item.id && !item.kind)
			this.#ids.set(item.id, item);
		if (item.mid)
			this.#mids.set(item.mid, item);
		this.changes.inserted(this, item, i);
	}

	// Before the first that is later, looked for from the end.
	#place(item, end) {
		let place = end;
		for (let i = end - 1; i >= 0; i--) {
			const id = this.items[i].id;
			if (!id)
				continue;
			if (compareIds(id, item.id) <= 0)
				break;
			place = i;
		}
		return place;
	}

	// Drops what is too much: the oldest, or while old history is read the newest.
	trim(fromEnd) {
		while (this.items.length > SHOWN) {
			const item = fromEnd ? this.items.at(-1) : this.items[0];
			if (fromEnd)
				this.detached = true;
			else
				this.more = true;
			this.remove(item);
		}
	}
}

// Who leaves and comes back has not moved.
function move(nick, from, to) {
	const i = from.indexOf(nick);
	if (i >= 0)
		from.splice(i, 1);
	else if (!to.includes(nick))
		to.push(nick);
}
