// Calls of the server: the public API (package rollcall.v1), as JSON.

import { t, word } from './text.js';

/**
 * What the server refused, or a server that cannot be reached.
 */
export class Refusal extends Error {
	/**
	 * @param {string} code as Connect names it: "invalid_argument"
	 * @param {string} reason the stable reason: "NOT_AN_IMAGE"; "OFFLINE" without a server
	 * @param {string} message for a person
	 */
	constructor(code, reason, message) {
		super(message);
		this.code = code;
		this.reason = reason;
		/** @type {number} milliseconds after which a retry may succeed; 0 if it will not */
		this.delay = 0;
	}

	/** Whether the same call may succeed later. */
	get passing() {
		return this.code === 'unavailable' || this.code === 'resource_exhausted';
	}
}

/** The event of the window that says that this browser has to sign in (again). */
export const SIGNED_OUT = 'rollcall-signed-out';

let gallery = '';

/**
 * Sets the gallery of all later calls; '' is the caller's only one, or the default.
 * @param {string} id
 */
export function useGallery(id) {
	gallery = id;
}

/** The gallery of all calls. */
export const usedGallery = () => gallery;

/**
 * Makes a call. Throws a Refusal, or an AbortError when the signal ends it.
 * @param {string} procedure such as "AttendanceService/Identify"
 * @param {object} [message]
 * @param {{signal?: AbortSignal, tries?: number}} [options] tries: how often it is made at
 *   most, while the server is busy or away; only for calls that may be repeated
 * @returns {Promise<Answer>}
 */
export async function call(procedure, message = {}, { signal, tries = 1 } = {}) {
	for (let left = tries; ; left--) {
		try {
			return await ask(`/rollcall.v1.${procedure}`, 'POST', message, signal);
		} catch (error) {
			if (!(error instanceof Refusal) || !error.passing || left <= 1) throw error;
			await pause(error.delay || 1000, signal);
		}
	}
}

/**
 * Returns who this browser is. Throws a Refusal with code "unauthenticated" if it must
 * sign in first.
 * @returns {Promise<Session>}
 */
export const showSession = () => ask('/session', 'GET');

/**
 * Buys a session with a token or a pairing code.
 * @param {{token: string} | {code: string}} payment
 * @returns {Promise<Session>}
 */
export const beginSession = (payment) => ask('/session', 'POST', payment);

/** @returns {Promise<Session>} */
export const endSession = () => ask('/session', 'DELETE');

/**
 * The server's metrics, by name with labels, as Prometheus reads them. For admins.
 * @param {AbortSignal} [signal]
 * @returns {Promise<string>}
 */
export function metrics(signal) {
	return reach('/metrics', { signal });
}

/**
 * @param {string} path
 * @param {string} method
 * @param {object} [body]
 * @param {AbortSignal} [signal]
 */
async function ask(path, method, body, signal) {
	/** @type {Record<string, string>} */
	const headers = {};
	if (body) headers['Content-Type'] = 'application/json';
	if (path.startsWith('/rollcall.')) {
		headers['Connect-Protocol-Version'] = '1';
		if (gallery) headers['Rollcall-Gallery'] = encodeURIComponent(gallery);
	}
	const text = await reach(path, { method, headers, body: body && JSON.stringify(body), signal });
	try {
		return JSON.parse(text);
	} catch {
		throw new Refusal('unavailable', 'OFFLINE', t('offline')); // a page of the network's own, say
	}
}

/**
 * @param {string} path
 * @param {RequestInit} init
 * @returns {Promise<string>} the whole body
 */
async function reach(path, init) {
	let response, text;
	try {
		response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...init });
		text = await response.text();
	} catch (error) {
		if (error instanceof DOMException && error.name === 'AbortError') throw error;
		throw new Refusal('unavailable', 'OFFLINE', t('offline'));
	}
	if (response.ok) return text;
	const refusal = refusalOf(response.status, text);
	if (refusal.code === 'unauthenticated' && path !== '/session') dispatchEvent(new Event(SIGNED_OUT));
	throw refusal;
}

/**
 * Reads an error as Connect sends it over HTTP.
 * @param {number} status
 * @param {string} text
 */
function refusalOf(status, text) {
	/** @type {any} */
	let answer;
	try {
		answer = JSON.parse(text);
	} catch {
		// Not ours: a proxy in front of the server, say.
		answer = { code: status >= 500 ? 'unavailable' : status === 429 ? 'resource_exhausted' : 'unknown', message: `HTTP ${status}` };
	}
	const refusal = new Refusal(answer.code ?? 'unknown', '', answer.message ?? '');
	for (const { type, debug } of answer.details ?? []) {
		if (type === 'google.rpc.ErrorInfo') {
			refusal.reason = debug?.reason ?? '';
			for (const kind of ['REFUSAL', 'REASON']) { // in the reader's language, if it is a usual one
				const name = `${kind}_${refusal.reason}`;
				const words = word(name, debug?.metadata);
				if (words !== name) refusal.message = words;
			}
		} else if (type === 'google.rpc.RetryInfo') {
			refusal.delay = 1000 * Number.parseFloat(debug?.retryDelay ?? '0');
		}
	}
	return refusal;
}

/**
 * Returns the bytes of a file as the API takes them.
 * @param {Blob} file
 * @returns {Promise<string>} base64
 */
export function base64(file) {
	return new Promise((resolve, reject) => {
		const reader = new FileReader();
		reader.onload = () => resolve(String(reader.result).split(',', 2)[1] ?? '');
		reader.onerror = () => reject(reader.error);
		reader.readAsDataURL(file);
	});
}

/**
 * Waits. Throws the signal's reason when it ends first.
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(milliseconds, signal) {
	return new Promise((resolve, reject) => {
		signal?.throwIfAborted();
		const stop = () => {
			clearTimeout(timer);
			reject(signal?.reason);
		};
		const timer = setTimeout(() => {
			signal?.removeEventListener('abort', stop);
			resolve();
		}, milliseconds);
		signal?.addEventListener('abort', stop, { once: true });
	});
}
