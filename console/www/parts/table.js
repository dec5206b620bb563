// Tables.

import { h } from '../dom.js';

/** @typedef {import('../dom.js').Child} Child */

/**
 * Returns a table that is moved sideways by itself where it is too wide.
 * @param {string[]} head the columns; all empty: no head
 * @param {(Child | Child[])[][]} rows
 */
export function table(head, rows) {
	return h('div', { className: 'scroll', tabIndex: 0 }, h('table', {},
		head.some(Boolean) && h('thead', {}, h('tr', {}, head.map((text) => (text ? h('th', { scope: 'col' }, text) : h('td'))))),
		h('tbody', {}, rows.map((row) => h('tr', {}, row.map((cell) => h('td', {}, cell)))))));
}
