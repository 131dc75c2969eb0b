// SPDX-License-Identifier: MIT
// The room on the screen: its items as elements, kept at the end while the
// reader is there.
import { el } from './dom.js';
import { render } from './message.js';
import { t } from './texts.js';

const NEAR = 80; // pixels from the end that are still the end
const TOGETHER_MS = 5 * 60 * 1000; // messages of one sender under one name

const dayNumber = ts => new Date(ts).toDateString();

export class Log {
	room = null;
	atEnd = true;
	#nodes = new Map(); // item -> element
	#top = el('li', { class: 'note' });
	#queued = false;
	#end = this.#top; // the last node, when we put the reader at the end

	// me(): our nick; act: of render(); moved(): .atEnd changed, or the reader
	// came near the beginning (older).
	constructor(list, { me, act, moved, older }) {
		Object.assign(this, { list, me, act, moved });
		list.addEventListener('scroll', () => {
			// What came since has not moved the reader.
			const end = this.atEnd ? this.#end : list.lastElementChild;
			const atEnd = end.getBoundingClientRect().bottom - list.getBoundingClientRect().bottom < NEAR;
			if (atEnd !== this.atEnd) {
				this.atEnd = atEnd;
				moved();
			}
			if (list.scrollTop < list.clientHeight)
				older();
		}, { passive: true });
		// The keyboard of a phone, a longer draft.
		new ResizeObserver(() => this.atEnd && this.toEnd()).observe(list);
	}

	show(room) {
		this.room = room;
		this.list.ariaBusy = 'true';
		this.#nodes.clear();
		this.list.replaceChildren(this.#top, ...room.items.map(item => this.#make(item)));
		for (const node of this.list.children)
			this.#arrange(node);
		this.beginning();
		this.toEnd();
		this.list.ariaBusy = 'false';
	}

	beginning() {
		this.#top.textContent = this.room.more || this.room.isDirect ? '' : t('beginning', '#' + this.room.name);
	}

	// Older items come in: what the reader sees stays where it is.
	keepPlace(action) {
		const { list } = this;
		const first = this.#top.nextElementSibling;
		const above = first?.offsetTop - list.scrollTop;
		list.ariaBusy = 'true';
		action();
		this.beginning();
		if (this.atEnd)
			this.toEnd();
		else
			list.scrollTop = first.offsetTop - above;
		list.ariaBusy = 'false';
	}

	toEnd() {
		this.list.scrollTop = this.list.scrollHeight;
		this.#end = this.list.lastElementChild;
		this.atEnd = true;
	}

	inserted(item, index) {
		const node = this.#make(item);
		this.list.insertBefore(node, this.list.children[index + 1] ?? null);
		this.#arrange(node);
		this.#arrange(node.nextElementSibling);
		this.#stay();
	}

	changed(item) {
		const old = this.#nodes.get(item);
		if (!old)
			return;
		const node = this.#make(item);
		old.replaceWith(node);
		if (this.#end === old)
			this.#end = node;
		this.#arrange(node);
		this.#stay();
	}

	removed(item) {
		const node = this.#nodes.get(item);
		const next = node?.nextElementSibling;
		if (this.#end === node)
			this.#end = node.previousElementSibling;
		node?.remove();
		this.#nodes.delete(item);
		this.#arrange(next);
	}

	#make(item) {
		const node = render(item, this.me(), this.act);
		node.item = item;
		this.#nodes.set(item, node);
		return node;
	}

	// Day lines and whether the name is shown depend on what is above.
	#arrange(node) {
		const item = node?.item;
		if (!item || item.kind)
			return;
		const above = node.previousElementSibling?.item;
		let last = node.previousElementSibling;
		while (last?.item?.kind)
			last = last.previousElementSibling;
		const newDay = !last?.item || dayNumber(last.item.ts) !== dayNumber(item.ts);
		node.classList.toggle('new-day', newDay);
		node.classList.toggle('more-of-it', !newDay && !!above && !above.kind && above.sender === item.sender
			&& above.instance === item.instance && above.via === item.via && item.ts - above.ts < TOGETHER_MS);
	}

	// Once for all that comes before the next picture.
	#stay() {
		if (!this.atEnd || this.#queued)
			return;
		this.#queued = true;
		requestAnimationFrame(() => {
			this.#queued = false;
			this.toEnd();
		});
	}
}
