// A field for a group, which offers those that there are.

import { call } from '../api.js';
import { fill, h } from '../dom.js';

let lists = 0;

/**
 * Returns a field for the name of a group.
 * @param {{label: string, change?: (group: string) => unknown}} options
 */
export function groupField({ label, change }) {
	const list = h('datalist', { id: `groups-${++lists}` });
	const input = h('input', { autocomplete: 'off', onchange: () => change?.(input.value.trim()) });
	input.setAttribute('list', list.id);
	void groups().then((names) => fill(list, names.map((name) => h('option', { value: name }))), () => {}); // it only helps
	return { input, element: h('label', label, input, list) };
}

/**
 * Reads groups that are typed, between commas or semicolons.
 * @param {string} text
 */
export const splitGroups = (text) => text.split(/[,;]/).map((group) => group.trim()).filter(Boolean);

/** @returns {Promise<string[]>} the groups of the first thousand students, sorted */
async function groups() {
	const { students = [] } = await call('GalleryService/ListStudents', { page_size: 1000 });
	return [...new Set(students.flatMap((s) => s.groups ?? []))].sort();
}
