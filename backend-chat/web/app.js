// SPDX-License-Identifier: MIT
// The page: who we are, which rooms we are in, what is heard and said there.
import { $, browser, face, icon, tab } from './dom.js';
import { language, listed, t, translate } from './texts.js';
import { compareIds, Room, roomKey } from './rooms.js';
import { Socket } from './socket.js';
import { Outbox } from './outbox.js';
import { Log } from './log.js';
import { parse } from './commands.js';
import { draft, setDraft, startComposer } from './composer.js';
import { showConnection } from './bar.js';
import { askNick } from './nick.js';
import { closeDrawers, openDrawer, showInstances, showMembers, showRedis, showRooms } from './side.js';

const ROOMS_MAX = 32; // of a connection
const PAGE = 50; // messages of a page of history
const TYPES_MS = 5000; // so long another one is said to type
const LOOK_MS = 45000; // between looks at instances and rooms: longer than the
// server keeps an idle connection, so that a page does not hold two for good
const AGAIN_MS = 6000; // after "too many at once": until one may join again
const ROOM_NAME = /^[\p{L}\p{M}\p{N}_.-]{1,64}$/u;

let me = browser.get('me') ?? {}; // nick, token
let instance = '';
let current = null;
let others = []; // rooms that we are not in
const rooms = new Map();
const seen = browser.get('seen') ?? {}; // of direct messages: when the last one was read

const sameNick = (a, b) => roomKey(a ?? '') === roomKey(b ?? '');

const log = new Log($('log'), { me: () => me.nick ?? '', act, moved: showLatest, older: askOlder });
const changes = {
	inserted: (room, item, i) => room === current && log.inserted(item, i),
	changed: (room, item) => room === current && log.changed(item),
	removed: (room, item) => room === current && log.removed(item),
};
const socket = new Socket(hello, hear, () => showConnection(socket));
const outbox = new Outbox(object => socket.say(object), name => name[0] === '@' || rooms.get(name)?.joined);

// ---------------------------------------------------------------- rooms

function getRoom(name) {
	let room = rooms.get(name);
	if (!room) {
		room = new Room(name, changes);
		rooms.set(name, room);
		for (const item of room.isDirect ? tab.get('sent' + name) ?? [] : [])
			room.add(item);
		for (const sent of outbox.of(name))
			showSent(room, sent);
	}
	return room;
}

function keepRooms() {
	browser.set('rooms', [...rooms.keys()]);
	browser.set('current', current?.name);
}

function open(name) {
	const room = getRoom(name);
	if (current)
		current.draft = draft();
	current = room;
	setDraft(room.draft);
	log.show(room);
	enter(room);
	read(room);
	keepRooms();
	history.replaceState(null, '', room.isDirect ? location.pathname : '#' + encodeURIComponent(name));
	showHeader();
	showTyping(room);
	closeDrawers();
	if (matchMedia('(pointer: fine)').matches)
		$('text').focus();
}

// What only the room on the screen needs.
function enter(room) {
	if (room !== current || room.isDirect)
		return;
	if (!room.joined) {
		socket.say({ t: 'join', room: room.name, after: room.cursor || undefined });
		return;
	}
	socket.say({ t: 'who', room: room.name });
	if (!room.loaded)
		askHistory(room);
}

function leave(room) {
	socket.say({ t: 'leave', room: room.name });
	forget(room);
}

function forget(room) {
	rooms.delete(room.name);
	current = null;
	open([...rooms.keys()][0] ?? 'lobby');
	askRooms();
}

function read(room) {
	room.unread = 0;
	if (room.isDirect && room.items.length > 0) {
		seen[room.name] = room.items.at(-1).ts;
		browser.set('seen', seen);
	}
	showLists();
}

function isRead(room) {
	return room === current && !document.hidden && log.atEnd && !room.detached;
}

function askHistory(room, before) {
	room.loading = socket.say({ t: 'history', room: room.name, before, limit: PAGE });
}

function askOlder() {
	if (current?.loaded && current.more && !current.loading && current.first)
		askHistory(current, current.first);
}

function askRooms() {
	socket.say({ t: 'rooms' });
}

function note(text, room = current) {
	room?.add({ kind: 'note', text });
}

// ------------------------------------------------------------- speaking

function showSent(room, sent) {
	const { mid, text, metadata, ts, failed } = sent;
	sent.item = { mid, text, metadata, ts, sender: me.nick ?? '', own: true, state: failed ? 'failed' : 'sending', why: failed };
	room.add(sent.item);
}

function say(text, metadata, room = current) {
	const sent = outbox.add(room.name, text, metadata);
	showSent(room, sent);
	log.toEnd();
	outbox.pump();
}

function setState(room, item, state, why = '') {
	item.state = state;
	item.why = why;
	changes.changed(room, item);
}

// The buttons of a message that failed.
function act(what, item) {
	const sent = outbox.entries.get(item.mid);
	if (!sent)
		return;
	if (what === 'again') {
		setState(current, item, 'sending');
		outbox.retry(sent);
	} else {
		outbox.delete(item.mid);
		current.remove(item);
	}
}

const needs = {
	join: ['/join ROOM', rest => ROOM_NAME.test(rest)],
	msg: ['/msg NICK text', rest => /^\S+\s+\S/.test(rest)],
	me: ['/me text', rest => rest],
	nick: ['/nick NAME', rest => rest],
};

const commands = {
	help: () => note(t('help')),
	join: rest => open(roomKey(rest)),
	rooms() {
		for (const room of others)
			note(t('here', '#' + room.id, room.here) + (room.topic ? ' – ' + room.topic : ''));
		openDrawer('rooms');
	},
	who: () => note(t('is_here', '#' + current.name, [...current.members.keys()].join(', '))),
	msg(rest) {
		const [, to, text] = rest.match(/^(\S+)\s+([^]*)$/);
		open('@' + roomKey(to));
		say(text);
	},
	me: rest => say(rest, { type: 'action' }),
	nick: rest => socket.say({ t: 'nick', nick: rest.normalize('NFC') }),
	topic(rest) {
		if (rest)
			socket.say({ t: 'topic', room: current.name, text: rest });
		else
			note(current.topic || t('no_topic', '#' + current.name));
	},
	history: () => askOlder(),
	server: () => note([...document.querySelectorAll('#server dt, #server dd')].map(node => node.textContent).join(' ')),
	quit: () => socket.end(),
};

function submit(text) {
	if (current.detached)
		toLatest();
	const { say: said, command, rest, unknown } = parse(text);
	if (said !== undefined)
		say(said);
	else if (unknown)
		note(t('unknown', unknown));
	else if (needs[command] && !needs[command][1](rest))
		note(t('needs', needs[command][0]));
	else
		commands[command](rest);
}

// -------------------------------------------------------------- hearing

function hello() {
	outbox.reset();
	for (const room of rooms.values())
		room.joined = false;
	return {
		t: 'hello', ...me, client: 'page ' + language,
		rooms: [...rooms.values()].filter(room => !room.isDirect).slice(0, ROOMS_MAX).map(room => ({ id: room.name, after: room.cursor || undefined })),
	};
}

// The room, and for a direct message the conversation, that it belongs to.
function roomOf(m) {
	if (m.room[0] !== '@')
		return rooms.get(m.room);
	const room = getRoom('@' + roomKey(sameNick(m.sender, me.nick) ? m.to : m.sender));
	keepRooms();
	return room;
}

function onMessage(m) {
	const room = roomOf(m);
	const mid = m.mid.slice(m.mid.indexOf('.') + 1); // as its sender made it
	const own = sameNick(m.sender, me.nick);
	const sent = own && outbox.entries.get(mid);
	if (!room)
		return;
	// A conversation has two logs, each with ids of its own: it goes by time.
	const { id, ...rest } = m;
	const item = room.isDirect ? rest : m;
	item.own = own;
	if (!room.isDirect && id && (!room.cursor || compareIds(id, room.cursor) > 0))
		room.cursor = id;
	if (sent) {
		// Without an id it is not in the log yet (Redis is down).
		room.remove(sent.item);
		item.state = id ? 'sent' : 'sending';
		sent.item = item;
		if (id)
			outbox.delete(mid);
	}
	// Its ack was first: now there is all of it.
	const known = room.find(item);
	if (known?.own && !known.instance) {
		room.remove(known);
		item.state = 'sent';
	}
	if (room.detached ? known : !room.add(item))
		return;
	room.typing?.delete(m.sender);
	showTyping(room);
	if (!own && !isRead(room) && !(room.isDirect && m.ts <= (seen[room.name] ?? 0)))
		room.unread++;
	else if (room === current)
		read(room);
	// Who reads above the end keeps that, and comes back by the button.
	room.trim(room === current && !log.atEnd && !room.isDirect);
	showLists();
	showLatest();
	for (const name of new Set(['message', m.event]))
		document.dispatchEvent(new CustomEvent(name, { detail: m }));
}

function onAck({ mid, id }) {
	const sent = outbox.entries.get(mid);
	if (!sent)
		return;
	const room = getRoom(sent.room);
	outbox.delete(mid);
	if (!room.isDirect)
		room.identify(sent.item, id);
	setState(room, sent.item, 'sent');
	if (room.isDirect)
		tab.set('sent' + room.name, room.items.filter(item => item.state === 'sent').slice(-PAGE));
}

function onError({ code, message, ref }) {
	const sent = outbox.entries.get(ref);
	for (const room of rooms.values())
		room.loading = false;
	if (ref === 'hello' && socket.state !== 'open' && code !== 'nick_taken') {
		// What the browser kept of us is of no use: we come as somebody new.
		me = {};
		socket.again();
	} else if (sent && code === 'rate') {
		outbox.slower(sent);
	} else if (sent) {
		outbox.fail(sent, message);
		setState(getRoom(sent.room), sent.item, 'failed', message);
	} else if (code === 'nick_taken' || $('nick').open) {
		changeNick(message);
	} else {
		note(message);
	}
	if (code === 'rate')
		setTimeout(() => enter(current), AGAIN_MS);
}

function onPresence({ room: name, join, part, nick }) {
	const room = rooms.get(name);
	if (!room)
		return;
	const others = list => list.filter(one => !sameNick(one, me.nick));
	for (const one of join)
		room.members.set(one, room.members.get(one) ?? '');
	for (const one of part)
		room.members.delete(one);
	for (const { from, to } of nick) {
		room.members.set(to, room.members.get(from) ?? room.members.get(to) ?? '');
		room.members.delete(from);
		if (!sameNick(to, me.nick))
			note(t('renamed', from, to), room);
	}
	if (others(join).length + others(part).length > 0)
		room.presence(others(join), others(part));
	if (room === current)
		showMembers(room, me.nick, direct);
}

const heard = {
	welcome(o) {
		const first = !me.token;
		setMe({ nick: o.nick, token: o.token });
		instance = o.instance;
		$('instance').textContent = instance;
		showRedis(o.redis);
		// Not all at once after a cut, like the connections themselves.
		setTimeout(look, Math.random() * o.spread_ms);
		outbox.pump();
		if (first)
			changeNick();
	},
	joined(o) {
		const room = rooms.get(o.room);
		if (!room)
			return;
		Object.assign(room, { topic: o.topic, e2ee: o.e2ee, joined: true });
		room.cursor ||= o.head;
		enter(room);
		outbox.pump();
		showHeader();
	},
	message: onMessage,
	ack: onAck,
	error: onError,
	members({ room: name, members, unnamed }) {
		const room = rooms.get(name);
		if (!room)
			return;
		room.members = new Map(members.map(one => [one.nick, one.instance]));
		room.unnamed = unnamed;
		if (room === current)
			showMembers(room, me.nick, direct);
	},
	rooms(o) {
		others = o.rooms;
		showLists();
	},
	history(o) {
		const room = rooms.get(o.room);
		if (!room)
			return;
		const fill = () => {
			for (const item of o.items)
				room.add(Object.assign(item, { own: sameNick(item.sender, me.nick) }));
			room.more = o.more;
			room.incomplete = !o.complete;
			if (room.loaded)
				room.trim(true);
		};
		if (room === current)
			log.keepPlace(fill);
		else
			fill();
		Object.assign(room, { loaded: true, loading: false });
		showLatest();
	},
	presence: onPresence,
	topic({ room: name, text, nick }) {
		const room = rooms.get(name);
		if (!room)
			return;
		room.topic = text;
		note(text ? t('topic_set', nick, text) : t('topic_none', nick), room);
		showHeader();
	},
	typing({ room: name, nick }) {
		const room = rooms.get(name);
		if (!room)
			return;
		room.typing ??= new Map();
		room.typing.set(nick, Date.now() + TYPES_MS);
		showTyping(room);
		setTimeout(() => showTyping(room), TYPES_MS);
	},
	gap: o => rooms.get(o.room)?.gap(o.from, o.to),
	state: o => showRedis(o.redis),
	nick(o) {
		setMe({ ...me, nick: o.nick });
		enter(current);
	},
	notice: o => note(o.text),
};

// What is not known comes from a newer server.
function hear(object) {
	heard[object.t]?.(object);
}

// -------------------------------------------------------------- showing

function setMe(now) {
	me = now;
	browser.set('me', me);
	$('me-name').textContent = me.nick;
	face($('me-face'), me.nick);
	$('nick').close();
	if (current)
		showMembers(current, me.nick, direct);
}

function changeNick(why = '') {
	askNick(me.nick, why, nick => socket.say({ t: 'nick', nick }));
}

function direct(nick) {
	open('@' + roomKey(nick));
}

function showLists() {
	let unread = 0;
	for (const room of rooms.values())
		unread += room.unread;
	showRooms([...rooms.values()], current, others.filter(room => !rooms.has(room.id)), open);
	$('rooms-open').classList.toggle('unread', unread > (current?.unread ?? 0));
	document.title = (unread ? `(${unread}) ` : '') + title() + ' – chat';
}

const title = () => current ? (current.isDirect ? '' : '#') + current.name : '';

function showHeader() {
	$('name').textContent = title();
	$('topic').textContent = $('topic').title = current.topic;
	$('text').placeholder = current.e2ee ? t('e2ee') : t('say_in', title());
	$('text').disabled = current.e2ee;
	showMembers(current, me.nick, direct);
	showLatest();
}

function showTyping(room) {
	if (room !== current)
		return;
	const list = [...room.typing ?? []].filter(([, until]) => until > Date.now()).map(([nick]) => nick);
	$('typing').textContent = list.length > 3 ? t('typing_many') : list.length > 0 ? t('typing', listed(list)) : '';
}

function showLatest() {
	if (log.atEnd && current?.unread && !document.hidden && !current.detached)
		read(current);
	$('latest').hidden = !current || (log.atEnd && !current.detached);
	$('latest-text').textContent = current?.unread ? t('new_messages', current.unread) : t('latest');
}

function toLatest() {
	const room = current;
	if (room.detached) {
		room.clear();
		Object.assign(room, { detached: false, loaded: false, more: true });
		log.show(room);
		for (const sent of outbox.of(room.name))
			room.add(sent.item);
		enter(room);
	}
	log.toEnd();
	showLatest();
}

// Instances and rooms, while somebody looks.
async function look() {
	if (document.hidden || socket.state !== 'open' || !$('server').checkVisibility({ visibilityProperty: true }))
		return;
	askRooms();
	try {
		const answer = await fetch('/api/instances');
		if (answer.ok)
			showInstances((await answer.json()).instances, instance);
	} catch { /* the next one will tell */ }
}

// --------------------------------------------------------------- the page

translate(document);
for (const button of document.querySelectorAll('[data-icon]'))
	button.prepend(icon(button.dataset.icon));
$('language').value = language;
$('language').onchange = () => {
	browser.set('language', $('language').value);
	location.reload();
};
$('join').onsubmit = event => {
	const name = $('join-name').value.trim().replace(/^#/, '');
	event.preventDefault();
	$('join-name').setCustomValidity(ROOM_NAME.test(name) ? '' : t('bad_room'));
	if (!$('join-name').reportValidity())
		return;
	$('join-name').value = '';
	open(roomKey(name));
};
$('join-name').oninput = () => $('join-name').setCustomValidity('');
$('leave').onclick = () => current.isDirect ? forget(current) : leave(current);
startComposer(submit, () => current.isDirect || socket.say({ t: 'typing', room: current.name }));
$('latest').onclick = toLatest;
$('me').onclick = () => changeNick();
addEventListener('hashchange', () => openHash());
document.addEventListener('visibilitychange', () => {
	if (!document.hidden && current)
		showLatest();
	look();
});
setInterval(look, LOOK_MS);
$('rooms-open').addEventListener('click', look);

function openHash() {
	let name = '';
	try {
		name = roomKey(decodeURIComponent(location.hash.slice(1)));
	} catch { /* no name */ }
	if (ROOM_NAME.test(name))
		open(name);
	return ROOM_NAME.test(name);
}

for (const name of browser.get('rooms') ?? [])
	if (typeof name === 'string' && (name[0] === '@' || ROOM_NAME.test(name)))
		getRoom(name);
if (!openHash())
	open(browser.get('current') ?? 'lobby');
socket.now();
