// The words of the pages, in the reader's language.

import en from './text/en.js';
import de from './text/de.js';
import { keep, kept } from './parts/keep.js';

/** @typedef {typeof en} Words */

/** @type {Record<string, Words>} */
const languages = { en, de };

const KEPT = 'rollcall.language';

/** The languages that there are, by their codes. */
export const codes = Object.keys(languages);

/** The code of the language that is used. */
export let language = [kept(KEPT), ...navigator.languages].map((code) => code.slice(0, 2)).find((code) => code in languages) ?? 'en';

/**
 * Uses another language for all that is shown from now on.
 * @param {string} code
 */
export function chooseLanguage(code) {
	language = code;
	keep(KEPT, code);
}

/**
 * Returns the text with this name, such as "door.title". Values stand for {names} in it.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(name, values = {}) {
	/** @type {any} */
	let text = languages[language];
	for (const part of name.split('.')) text = text[part];
	return text.replace(/\{(\w+)\}/g, (/** @type {string} */ _, /** @type {string} */ key) => String(values[key] ?? ''));
}

/**
 * Returns the words for a value of an enumeration of the API. One that is newer than these
 * pages is shown as it is.
 * @param {string} value such as "VERDICT_MATCH"
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function word(value, values) {
	for (const [kind, words] of Object.entries(en)) {
		const name = value.slice(kind.length + 1);
		if (value === `${kind}_${name}` && Object.hasOwn(Object(words), name)) return t(`${kind}.${name}`, values);
	}
	return value;
}

/**
 * @param {number} value
 * @param {number} [digits] after the point
 */
export const number = (value, digits) => value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });

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
 * @param {Intl.DateTimeFormatOptions} [more]
 * @returns {string} the date; '' without one
 */
export const day = (when, more) => (when ? new Date(when).toLocaleString(language, { dateStyle: 'medium', ...more }) : '');

/**
 * @param {string | undefined} when
 * @returns {string} date and time, short; '' without one
 */
export const moment = (when) => day(when, { timeStyle: 'short' });
