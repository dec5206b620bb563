// The names of students, which the server does not know. They stay on this machine.

import { readTable } from './csv.js';
import { keep, kept } from './keep.js';

const KEPT = 'rollcall.names';

/** @type {Record<string, string>} */
let names = JSON.parse(kept(KEPT) || '{}');

/**
 * Returns a student's name, or the id if this machine does not know it.
 * @param {string} id
 */
export const nameOf = (id) => (Object.hasOwn(names, id) ? names[id] ?? id : id);

/** How many names this machine knows. */
export const knownNames = () => Object.keys(names).length;

/**
 * Takes the names of a table of two columns: id, name. A first line "id,name" is none.
 * @param {string} text
 * @returns {boolean} whether they are known at the next visit, too
 */
export function takeNames(text) {
	const rows = readTable(text).filter(([id, name], i) => id && name && !(i === 0 && id.toLowerCase() === 'id'));
	names = Object.fromEntries(rows.map(([id, name]) => [id, name]));
	return keep(KEPT, JSON.stringify(names));
}

/** Forgets all names. */
export function forgetNames() {
	names = {};
	keep(KEPT, '');
}
