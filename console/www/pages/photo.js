// Class photo: who is on it, and who is absent. A person corrects it, and saves the table.

import { base64, call } from '../api.js';
import { card, fill, h, head } from '../dom.js';
import { saveTable } from '../parts/csv.js';
import { dropPlace } from '../parts/drop.js';
import { groupField } from '../parts/groups.js';
import { icon } from '../parts/icons.js';
import { holding, nameOf, SHOWN } from '../parts/names.js';
import { Page } from '../parts/page.js';
import { imageOf, picture } from '../parts/picture.js';
import { reasonsOf, scale, toneOf } from '../parts/verdict.js';
import { number, t, word } from '../text.js';

class Photo extends Page {
	result = h('div.stack', { 'aria-live': 'polite' });
	lists = h('div.halves.thirds');
	detail = h('div');
	/** @type {any[]} */
	seats = [];
	/** @type {string[]} everybody in scope */
	roll = [];

	connectedCallback() {
		const group = groupField({ label: t('group') });
		this.group = group.input;
		fill(this,
			head('photo'),
			h('div.stack', group.element,
				dropPlace({ label: t('photo.drop'), take: ([file]) => { if (file) void this.read(file); } }), this.result));
		group.element.style.maxWidth = '22rem';
	}

	/** @param {File} file */
	async read(file) {
		const signal = this.begin('photo');
		const { result } = this;
		fill(result, h('p.soft', t('photo.working')));
		const group = this.group?.value.trim() ?? '';
		try {
			const [image, bytes] = await Promise.all([imageOf(file, t('photo.picture')), base64(file)]);
			const answer = await call('AttendanceService/RollCall', { photo: bytes, scope: { groups: group ? [group] : [] } }, { signal, tries: 3 });
			this.seats = (answer.seats ?? []).map((seat) => ({ ...seat, chosen: seat.student_id ?? '' }));
			this.roll = [...new Set([...(answer.absent ?? []), ...this.seats.map((s) => s.assigned ?? s.student_id ?? '')])].filter(Boolean).sort();
			this.view = picture(image);
			this.size = [answer.width, answer.height];
			fill(this.detail);
			fill(result, this.view.element, this.detail, this.lists);
			this.update();
		} catch (error) {
			if (signal.aborted) return;
			fill(result);
			throw error;
		}
	}

	/** Shows what is known now: by the server, and by who has corrected it. */
	update() {
		const { seats } = this;
		const [width = 1, height = 1] = this.size ?? [];
		this.view?.frame(width, height, seats.map((seat, i) => ({
			box: seat.face.box,
			tone: seat.corrected ? 'good' : toneOf(seat.verdict),
			label: seat.chosen ? nameOf(seat.chosen) : word(seat.verdict),
			choose: () => this.showSeat(i),
		})));
		const here = new Set(seats.map((s) => s.chosen).filter(Boolean));
		const absent = this.roll.filter((id) => !here.has(id));
		const strangers = seats.filter((s) => !s.chosen).length;
		fill(this.lists,
			list(t('photo.present', { n: number(here.size) }), [...here].sort(), 'good'),
			list(t('photo.absent', { n: number(absent.length) }), absent, 'unsure'),
			card(t('photo.unknown', { n: number(strangers) }),
				h('p.soft', t('photo.correct')),
				h('button', { onclick: () => this.save(absent) }, icon('download'), t('saveTable'))));
	}

	/** @param {number} i */
	showSeat(i) {
		const seat = this.seats[i];
		const place = this.detail;
		/** @type {Candidate[]} */
		const candidates = seat.candidates ?? [];
		const ids = [...new Set([seat.chosen, ...candidates.map((c) => c.student_id), ...this.roll])].filter(Boolean);
		const select = h('select');
		const search = h('input', { type: 'search', autocomplete: 'off', oninput: () => offer() });
		const offer = () => fill(select, h('option', { value: '' }, t('photo.nobody')), ids.filter(holding(search.value)).slice(0, SHOWN)
			.map((id, i) => h('option', { value: id, selected: search.value ? i === 0 : id === seat.chosen }, nameOf(id))));
		offer();
		fill(place, h('section.card.stack', { 'aria-label': t('photo.face', { n: i + 1 }) },
			h('div.row', h('h2', t('photo.face', { n: i + 1 })), h(`span.tag.${toneOf(seat.verdict)}`, word(seat.verdict))),
			reasonsOf(seat).map((reason) => h('p.soft', reason)),
			candidates.length > 0 && scale(candidates, seat.threshold ?? 0),
			ids.length > SHOWN && h('label', t('students.search'), search),
			h('label', t('photo.who'), select),
			h('div.row',
				h('button.first', {
					onclick: () => {
						for (const other of this.seats) { // nobody is in two places
							if (other !== seat && select.value && other.chosen === select.value) other.chosen = '';
						}
						seat.chosen = select.value;
						seat.corrected = true;
						fill(place);
						this.update();
						this.view?.element.querySelectorAll('g')[i]?.focus();
					},
				}, t('photo.set')),
				h('button', { onclick: () => fill(place) }, t('cancel')))));
		place.scrollIntoView({ block: 'nearest' });
		select.focus();
	}

	/** @param {string[]} absent */
	save(absent) {
		const { seats } = this;
		saveTable('rollcall-photo.csv', [
			['id', 'state', 'similarity', 'corrected'],
			...seats.map((s) => [s.chosen, s.chosen ? 'present' : 'unknown', (s.similarity ?? 0).toFixed(3), s.corrected ? 'yes' : '']),
			...absent.map((id) => [id, 'absent', '', '']),
		]);
	}
}

/**
 * @param {string} title
 * @param {string[]} ids
 * @param {string} tone
 */
function list(title, ids, tone) {
	const place = h('ul.row');
	const more = h('div');
	const show = (shown = 0) => {
		const next = shown + SHOWN;
		place.append(...ids.slice(shown, next).map((id) => h(`li.tag.${tone}`, nameOf(id))));
		fill(more, next < ids.length && h('button', { onclick: () => show(next) }, t('photo.more', { n: number(ids.length - next) })));
	};
	show();
	return card(title, place, more);
}

customElements.define('rollcall-photo', Photo);
