// The words of the pages, in the reader's language.

import en from './text/en.js';
import de from './text/de.js';

/** @typedef {typeof en} Words */

/** @type {Record<string, Words>} */
const languages = { en, de };

const KEPT = 'rollcall.language';

/** The languages that there are, by their codes. */
export const codes = Object.keys(languages);

/** The code of the language that is used. */
export const language = chosen();

/** @returns {string} */
function chosen() {
	const wanted = [localStorage.getItem(KEPT) ?? '', ...navigator.languages];
	return wanted.map((code) => code.slice(0, 2)).find((code) => code in languages) ?? 'en';
}

/**
 * Uses another language from the next load of the page on.
 * @param {string} code
 */
export function chooseLanguage(code) {
	localStorage.setItem(KEPT, code);
	location.reload();
}

/**
 * Returns the text with this name, such as "door.title". Values stand for {names} in it.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(name, values = {}) {
	const text = find(name);
	if (text === undefined) throw new Error(`there is no text ${name}`);
	return text.replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ''));
}

/**
 * The same, or undefined if there is no such text: for names that the server makes.
 * @param {string} name
 * @returns {string | undefined}
 */
export function find(name) {
	/** @type {any} */
	let at = languages[language];
	for (const part of name.split('.')) at = at?.[part];
	return typeof at === 'string' ? at : undefined;
}

/**
 * Returns the words for a value of an enumeration of the API: verdicts, reasons, roles.
 * One that is newer than these pages is shown as it is.
 * @param {'verdict' | 'reason' | 'warning' | 'due' | 'method' | 'role' | 'advice' | 'consent'} kind
 * @param {string} value such as "VERDICT_MATCH"
 * @returns {string}
 */
export function word(kind, value) {
	return find(`${kind}s.${value}`) ?? value;
}

const numbers = new Intl.NumberFormat(language);

/**
 * @param {number} value
 * @param {number} [digits] after the point
 */
export function number(value, digits) {
	if (digits === undefined) return numbers.format(value);
	return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/**
 * @param {number} share 0 to 1
 * @returns {string} such as "0.1 %"; nobody can imagine less than one in a million
 */
export function percent(share) {
	if (share > 0 && share < 1e-6) return `< ${percent(1e-6)}`;
	return new Intl.NumberFormat(language, { style: 'percent', maximumSignificantDigits: 2 }).format(share);
}

/**
 * @param {string | undefined} when
 * @returns {string} the date; '' without one
 */
export const day = (when) => (when ? new Intl.DateTimeFormat(language, { dateStyle: 'medium' }).format(new Date(when)) : '');

/**
 * @param {string | Date | undefined} when
 * @returns {string} date and time, short; '' without one
 */
export function moment(when) {
	if (!when) return '';
	return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(when));
}
