// SPDX-License-Identifier: MIT
// Elements. Text only ever becomes text: nothing here reads HTML.

export const $ = id => document.getElementById(id);

// el("a", {href, class}, "text", node ...): what is no property is an attribute.
export function el(name, set = {}, ...children) {
	const node = document.createElement(name);
	for (const [key, value] of Object.entries(set))
		if (key in node)
			node[key] = value;
		else
			node.setAttribute(key === 'class' ? 'class' : key, value);
	node.append(...children);
	return node;
}

const SVG = 'http://www.w3.org/2000/svg';

// A drawing of the sprite in index.html.
export function icon(name) {
	const svg = document.createElementNS(SVG, 'svg');
	const use = document.createElementNS(SVG, 'use');
	svg.setAttribute('aria-hidden', 'true');
	use.setAttribute('href', '#i-' + name);
	svg.append(use);
	return svg;
}

// The first letter of a name on a colour of its own, one of eight.
export function face(node, name) {
	let hash = 0;
	for (const c of name.toLowerCase())
		hash = (hash * 31 + c.codePointAt(0)) % 65521;
	node.className = 'face c' + hash % 8;
	node.textContent = [...name][0].toUpperCase();
	return node;
}

// What a browser may forbid, or have lost: the page works without.
function kept(storage) {
	return {
		get(key) {
			try {
				return JSON.parse(storage().getItem('chat.' + key));
			} catch {
				return null;
			}
		},
		set(key, value) {
			try {
				storage().setItem('chat.' + key, JSON.stringify(value));
			} catch { /* not kept */ }
		},
	};
}

export const browser = kept(() => localStorage); // over visits
export const tab = kept(() => sessionStorage); // over reloads
