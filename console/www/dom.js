// Building parts of a page. Text is always text: nothing here reads HTML.

import { t } from './text.js';

/**
 * Makes an element. Its classes stand behind its name: "p.note.bad". Of the properties,
 * those that begin with "on" are listeners, those that the element has are set as
 * properties (value, checked, hidden), and all others are attributes (role, aria-label).
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K | `${K}.${string}`} name
 * @param {...(Properties | Child | Child[])} parts properties, if any, and children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(name, ...parts) {
	const [tag = '', ...classes] = name.split('.');
	const element = /** @type {HTMLElementTagNameMap[K]} */ (document.createElement(tag));
	element.classList.add(...classes);
	const properties = parts[0]?.constructor === Object ? /** @type {Properties} */ (parts.shift()) : {};
	for (const [key, value] of Object.entries(properties)) {
		if (value === undefined || value === null) continue;
		if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
		else if (key in element) /** @type {any} */ (element)[key] = value;
		else if (value !== false) element.setAttribute(key, value === true ? '' : String(value));
	}
	element.append(...nodes(/** @type {(Child | Child[])[]} */ (parts)));
	return element;
}

/**
 * Makes the head of a page, from its texts.
 * @param {string} page
 * @param {...Child} more what stands beside them
 */
export const head = (page, ...more) => h('header.head', h('div', h('h1', t(`${page}.title`)), h('p', t(`${page}.lead`))), ...more);

/**
 * Makes a card with a title above it.
 * @param {string} title
 * @param {...(Child | Child[])} children
 */
export const card = (title, ...children) => h('section.card.stack', { 'aria-label': title }, h('h2', title), ...children);

/**
 * Returns a table that is moved sideways by itself where it is too wide.
 * @param {string[]} head the columns; all empty: no head
 * @param {(Child | Child[])[][]} rows
 */
export function table(head, rows) {
	return h('div.scroll', { tabIndex: 0 }, h('table',
		head.some(Boolean) && h('thead', h('tr', head.map((text) => (text ? h('th', { scope: 'col' }, text) : h('td'))))),
		h('tbody', rows.map((row) => h('tr', row.map((cell) => h('td', cell)))))));
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Makes an element of SVG. All properties are attributes.
 * @param {string} name
 * @param {Record<string, string | number | undefined>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {SVGElement}
 */
export function svg(name, attributes = {}, ...children) {
	const element = document.createElementNS(SVG, name);
	for (const [key, value] of Object.entries(attributes)) {
		if (value !== undefined) element.setAttribute(key, String(value));
	}
	element.append(...nodes(children));
	return element;
}

/**
 * Puts these in the place of all that an element holds.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
	element.replaceChildren(...nodes(children));
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
	return children.flat().flatMap((child) => {
		if (child === null || child === undefined || child === false) return [];
		return [child instanceof Node ? child : String(child)];
	});
}
