// Small plots, as SVG.

import { h, svg } from '../dom.js';
import { number } from '../text.js';

const [WIDTH, HEIGHT] = [300, 80];

/**
 * Returns a line of values over time, the newest at the right, with the newest in words.
 * @param {string} title
 * @param {number[]} values
 * @param {(value: number) => string} [say]
 */
export function line(title, values, say = (v) => number(v)) {
	const finite = values.filter(Number.isFinite);
	const top = Math.max(...finite, 1e-9);
	const points = finite.map((v, i) => `${((i / Math.max(1, finite.length - 1)) * WIDTH).toFixed(1)},${(HEIGHT - 4 - (v / top) * (HEIGHT - 8)).toFixed(1)}`).join(' ');
	return h('figure.card.stack.tight',
		h('figcaption.soft.small', title),
		h('strong.figure', say(values.at(-1) ?? 0)),
		finite.length > 1 && svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'plot', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, svg('polyline', { points })));
}

/**
 * Returns the calibration: which share of strangers' comparisons reach a similarity.
 * @param {{fmr: number, similarity?: number}[]} points by falling fmr
 * @param {number} threshold
 * @param {string} label for readers who do not see it
 */
export function curve(points, threshold, label) {
	const [w, tall, left, bottom] = [560, 260, 56, 34];
	const similarities = points.map((p) => p.similarity ?? 0);
	const [low, high] = [Math.min(...similarities, threshold), Math.max(...similarities, threshold)];
	const decades = points.map((p) => Math.log10(p.fmr));
	const [least, most] = [Math.floor(Math.min(...decades)), Math.ceil(Math.max(...decades))];
	const x = (/** @type {number} */ s) => left + ((s - low) / (high - low || 1)) * (w - left - 16);
	const y = (/** @type {number} */ d) => 12 + ((most - d) / (most - least || 1)) * (tall - bottom - 12);
	const ticks = Array.from({ length: most - least + 1 }, (_, i) => least + i);
	return svg('svg', { viewBox: `0 0 ${w} ${tall}`, class: 'plot axes', role: 'img', 'aria-label': label },
		ticks.map((d) => svg('g', {}, svg('line', { x1: left, x2: w - 16, y1: y(d), y2: y(d) }), svg('text', { x: left - 8, y: y(d) + 4, 'text-anchor': 'end' }, `1e${d}`))),
		[low, (low + high) / 2, high].map((s) => svg('text', { x: x(s), y: tall - 10, 'text-anchor': 'middle' }, number(s, 2))),
		svg('polyline', { points: points.map((p) => `${x(p.similarity ?? 0).toFixed(1)},${y(Math.log10(p.fmr)).toFixed(1)}`).join(' ') }),
		svg('line', { class: 'threshold', x1: x(threshold), x2: x(threshold), y1: 8, y2: tall - bottom }));
}
