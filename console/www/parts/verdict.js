// A verdict in words and colour, and the candidates on a scale with the threshold.

import { h } from '../dom.js';
import { number, t, word } from '../text.js';
import { icon } from './icons.js';

/** @type {Record<string, {tone: string, icon: IconName}>} */
const looks = {
	VERDICT_MATCH: { tone: 'good', icon: 'tick' },
	VERDICT_AMBIGUOUS: { tone: 'unsure', icon: 'question' },
	VERDICT_UNKNOWN: { tone: 'plain', icon: 'unknown' },
	VERDICT_UNUSABLE: { tone: 'bad', icon: 'warn' },
};

/** @param {string} verdict */
export const toneOf = (verdict) => looks[verdict]?.tone ?? 'plain';

/**
 * Returns a verdict with its reasons.
 * @param {{verdict: string, student_id?: string, reasons?: string[], quality?: any}} answer of Identify, or the like
 */
export function verdictCard(answer) {
	const { tone, icon: name } = looks[answer.verdict] ?? { tone: 'plain', icon: 'unknown' };
	return h(`div.verdict.${tone}`, { 'data-verdict': answer.verdict },
		icon(name),
		h('div',
			h('strong', answer.student_id || word(answer.verdict)),
			h('span', answer.student_id ? word(answer.verdict) : reasonsOf(answer).join(' '))));
}

/**
 * Returns why a verdict is no match, or a crop is unusable, in sentences.
 * @param {{reasons?: string[], quality?: any}} answer
 * @returns {string[]}
 */
export function reasonsOf(answer) {
	const reasons = answer.reasons ?? answer.quality?.reasons ?? [];
	return reasons.map((/** @type {string} */ reason) => word(reason));
}

/**
 * Returns the candidates as bars, the threshold as a line through them.
 * @param {Candidate[]} candidates
 * @param {number} threshold
 */
export function scale(candidates, threshold) {
	const top = Math.max(0.01, threshold * 1.25, ...candidates.map((c) => c.similarity ?? 0));
	const share = (/** @type {number} */ value) => `${100 * Math.max(0, Math.min(1, value / top))}%`;
	return h('ol.scale', candidates.map((c) => {
		const similarity = c.similarity ?? 0;
		const value = h('i');
		value.style.width = share(similarity);
		const line = h('b');
		line.style.left = share(threshold);
		return h('li', { class: similarity >= threshold ? 'good' : 'plain' },
			h('div.row', h('span.id.grow', c.student_id), h('span.number', number(similarity, 2))),
			h('div.bar', { role: 'img', 'aria-label': t('verdict.bar', { similarity: number(similarity, 2), threshold: number(threshold, 2) }) }, value, line));
	}));
}
