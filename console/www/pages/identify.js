// Identify: drop or take a picture, and see whose face it is and why.

import { base64, call } from '../api.js';
import { fill, h, head } from '../dom.js';
import { Camera } from '../parts/camera.js';
import { dropPlace } from '../parts/drop.js';
import { icon } from '../parts/icons.js';
import { Page } from '../parts/page.js';
import { imageOf, picture } from '../parts/picture.js';
import { reasonsOf, scale, toneOf, verdictCard } from '../parts/verdict.js';
import { number, percent, t, word } from '../text.js';

class Identify extends Page {
	result = h('div.stack', { 'aria-live': 'polite' });
	source = h('div.stack');
	seen = h('div'); // the picture that the result is of

	connectedCallback() {
		fill(this,
			head('identify'),
			h('div.halves', h('div.stack', this.source, this.seen), this.result));
		this.showDrop();
	}

	/** @override */
	disconnectedCallback() {
		super.disconnectedCallback();
		this.camera?.stop();
	}

	showDrop() {
		this.camera?.stop();
		fill(this.source, dropPlace({
			label: t('identify.drop'),
			take: ([file]) => { if (file) void this.identify(file); },
			more: [h('button', { onclick: () => this.showCamera() }, icon('camera'), t('camera.use'))],
		}));
	}

	async showCamera() {
		const camera = await Camera.start();
		if (!this.isConnected) return camera.stop();
		this.camera?.stop(); // of the click before
		this.camera = camera;
		fill(this.source, h('div.picture', camera.video),
			h('div.row',
				h('button.first', { onclick: () => camera.frame().then((picture) => this.identify(picture)) }, icon('camera'), t('identify.take')),
				h('button', { onclick: () => this.showDrop() }, t('cancel'))));
	}

	/** @param {Blob} file */
	async identify(file) {
		const signal = this.begin('identify');
		const { result } = this;
		result.setAttribute('aria-busy', 'true');
		try {
			const [image, bytes] = await Promise.all([imageOf(file, t('identify.picture')), base64(file)]);
			signal.throwIfAborted(); // another picture was dropped meanwhile
			const view = picture(image);
			fill(this.seen, view.element);
			fill(result, h('p.soft', t('working')));
			// Two questions about the same picture: where the faces are, and whose the largest is.
			const [found, answer] = await Promise.all([
				call('AttendanceService/Detect', { image: bytes }, { signal, tries: 3 }),
				call('AttendanceService/Identify', { image: bytes, face: 'FACE_LARGEST' }, { signal, tries: 3 }),
			]);
			const faces = found.faces ?? [];
			view.frame(found.width, found.height, faces.map((face, i) => ({ box: face.box, tone: i === 0 ? toneOf(answer.verdict) : 'plain' })));
			fill(result, verdictCard(answer), this.why(answer));
		} catch (error) {
			if (signal.aborted) return;
			fill(this.seen);
			fill(result);
			throw error;
		} finally {
			if (!signal.aborted) result.removeAttribute('aria-busy');
		}
	}

	/** @param {Answer} answer */
	why(answer) {
		const { quality = {}, candidates = [], threshold = 0 } = answer;
		const facts = [
			[t('threshold'), number(threshold, 3)],
			[t('identify.scope'), number(answer.students_in_scope ?? 0)],
			answer.fpir !== undefined && [t('identify.strangers'), percent(answer.fpir)],
			[t('identify.quality'), number(quality.score ?? 0, 2)],
		].filter((fact) => fact !== false);
		return h('div.card.stack',
			h('h2', t('why')),
			reasonsOf(answer).map((reason) => h('p', reason)),
			(quality.shortfalls ?? []).map((s) => h('p.note.unsure', s.message)),
			(answer.warnings ?? []).map((w) => h('p.note.unsure', word(w))),
			candidates.length > 0 && h('h3', t('identify.candidates')),
			candidates.length > 0 && scale(candidates, threshold),
			h('table', h('tbody', facts.map(([name, value]) => h('tr', h('th', { scope: 'row' }, name), h('td.number', value))))));
	}
}

customElements.define('rollcall-identify', Identify);
