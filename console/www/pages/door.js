// Door: a tablet that looks at who comes in, and checks them in.
//
// A loop asks the server where the faces of a frame are. What its answers take is the
// pace. Some good frames of one face are a burst, and a burst is one verdict, which the
// server writes into the journal: that is the check-in.

import { whoami } from '../app.js';
import { base64, call, endSession, pause, Refusal } from '../api.js';
import { fill, h } from '../dom.js';
import { Camera, NoCamera } from '../parts/camera.js';
import { readFile } from '../parts/csv.js';
import { icon } from '../parts/icons.js';
import { openDialog, openForm, tellError } from '../parts/notice.js';
import { forgetNames, knownNames, nameOf, takeNames } from '../parts/names.js';
import { picture } from '../parts/picture.js';
import { chime, unlockSound } from '../parts/sound.js';
import { t, word } from '../text.js';

/** @typedef {import('../parts/icons.js').IconName} IconName */
/** @typedef {{image: string, box: any, landmarks: any}} Frame */

const LEAST_PAUSE = 200; // milliseconds: at most five frames a second
const BURST = 3; // frames that make a verdict
const LEAST_WIDTH = 0.1; // of the frame: who is further away only passes
const SHOWN = 3500; // milliseconds that a verdict is shown
const ASKED = 20_000; // milliseconds that a question waits for an answer
const COOL = 60_000; // milliseconds in which a student is not greeted again
const LONGEST = 20_000; // milliseconds that the server gets for an answer
const AWAY = 2000; // milliseconds after which a server that is away is asked again

class Door extends HTMLElement {
	ended = new AbortController();
	signal = this.ended.signal;
	/** @type {Map<string, number>} when each student was greeted */
	greeted = new Map();
	panel = h('div', { className: 'panel', role: 'status', 'aria-live': 'assertive' });
	view = h('div', { className: 'sight' });
	said = ''; // what the panel says
	seen = -1; // when the last frame was taken
	rest = 0; // until when the panel stays as it is

	connectedCallback() {
		document.addEventListener('visibilitychange', () => this.stayOn(), { signal: this.signal });
		fill(this,
			h('h1', { className: 'sr' }, t('door.title')),
			this.view, this.panel,
			h('footer', { className: 'row' },
				h('p', { className: 'soft small grow' }, t('door.attended')),
				h('button', { onclick: () => this.withoutFace() }, t('door.without')),
				h('button', { onclick: () => this.settings() }, t('door.settings'))));
		if (whoami().role === 'checkin') void this.run();
		else this.show('plain', 'door', t('door.title'), t('door.lead'), [[t('door.start'), () => { unlockSound(); void this.run(); }, true]]);
	}

	disconnectedCallback() {
		this.ended.abort();
		this.camera?.stop();
		this.lock?.release();
	}

	/**
	 * @param {string} tone
	 * @param {IconName} name
	 * @param {string} title
	 * @param {string} [text]
	 * @param {[string, () => void, boolean?][]} [choices] buttons; true: the first choice
	 */
	show(tone, name, title, text = '', choices = []) {
		const said = [tone, title, text, choices.length].join('\n');
		if (said === this.said && choices.length === 0) return; // a screen reader would say it five times a second
		this.said = said;
		const { panel } = this;
		panel.className = `panel ${tone}`;
		fill(panel, icon(name), h('strong', {}, title), text && h('p', {}, text),
			choices.length > 0 && h('div', { className: 'row' }, choices.map(([label, act, first]) => h('button', {
				className: first ? 'first' : '',
				onclick: () => {
					for (const button of panel.querySelectorAll('button')) button.disabled = true; // a child taps twice
					act();
				},
			}, label))));
	}

	/** Looks until the page is left or the tablet is unpaired. */
	async run() {
		const { signal } = this;
		/** @type {Frame[]} */
		let burst = [];
		while (!signal.aborted) {
			const began = performance.now();
			try {
				await this.wakeUp();
				// A hidden page has an old picture.
				burst = document.hidden || began < this.rest ? [] : await this.look(burst);
			} catch (error) {
				burst = [];
				if (signal.aborted) return;
				if (!(await this.trouble(error))) return;
			}
			await pause(Math.max(0, LEAST_PAUSE - (performance.now() - began)), signal).catch(() => {});
		}
	}

	/** Starts the camera, or starts it again after it was pulled out. */
	async wakeUp() {
		if (this.camera?.alive) return;
		const camera = await Camera.start();
		if (this.signal.aborted) return camera.stop(); // the page was left meanwhile
		this.camera = camera;
		this.sight = picture(this.camera.video);
		fill(this.view, this.sight.element);
		this.idle();
		this.stayOn();
	}

	/** Keeps the screen on, where the browser can do that. A hidden page loses it. */
	stayOn() {
		if (this.camera && !document.hidden) navigator.wakeLock?.request('screen').then((lock) => { this.lock = lock; }, () => {});
	}

	idle() {
		if (performance.now() >= this.rest) this.show('plain', 'camera', t('door.idle'));
	}

	/**
	 * Looks at one frame, and judges when there are enough of one face.
	 * @param {Frame[]} burst
	 * @returns {Promise<Frame[]>} the frames of the face so far
	 */
	async look(burst) {
		const camera = /** @type {Camera} */ (this.camera);
		if (camera.video.currentTime === this.seen) return burst; // the same frame still
		this.seen = camera.video.currentTime;
		const image = await base64(await camera.frame());
		const { faces = [], width, height } = await call('AttendanceService/Detect', { image }, { signal: limited(this.signal) });
		const face = faces.reduce((/** @type {any} */ best, /** @type {any} */ f) => (!best || f.box.width > best.box.width ? f : best), undefined);
		const near = face !== undefined && face.box.width >= LEAST_WIDTH * width;
		const reasons = near ? face.reasons ?? face.quality?.reasons ?? [] : [];
		this.sight?.frame(width, height, near ? [{ box: face.box, tone: reasons.length > 0 ? 'unsure' : 'good' }] : []);
		if (!near) {
			this.idle();
			return [];
		}
		if (reasons.length > 0) {
			this.show('unsure', 'camera', word('reason', reasons[0]));
			return burst;
		}
		const last = burst.at(-1);
		const frames = [...(last && overlap(last.box, face.box) ? burst : []), { image, box: face.box, landmarks: face.landmarks }];
		if (frames.length < BURST) {
			this.show('plain', 'camera', t('door.still'));
			return frames;
		}
		await this.judge(frames);
		this.idle();
		return [];
	}

	/**
	 * @param {Frame[]} frames
	 */
	async judge(frames) {
		const answer = await call('AttendanceService/IdentifyBurst', { frames, await_line: true, max_candidates: 3 }, { signal: limited(this.signal) });
		const { verdict, student_id: student = '', line, candidates = [] } = answer;
		switch (verdict) {
			case 'VERDICT_MATCH':
				return this.greet(student, line);
			case 'VERDICT_AMBIGUOUS':
				return this.askWho(candidates.slice(0, 2).map((/** @type {any} */ c) => c.student_id));
			case 'VERDICT_UNKNOWN':
				chime('low');
				this.show('plain', 'unknown', t('door.unknown'), t('door.office'), [[t('door.without'), () => this.withoutFace()]]);
				return pause(SHOWN, this.signal);
			default:
				this.show('unsure', 'camera', word('reason', answer.reasons?.[0] ?? 'REASON_LOW_QUALITY'));
				return pause(1000, this.signal);
		}
	}

	/**
	 * @param {string} student
	 * @param {string} line the number of the check-in, by which it can be taken back
	 */
	async greet(student, line) {
		const { signal } = this;
		const now = performance.now(); // a tablet's clock may be set
		const again = now - (this.greeted.get(student) ?? -COOL) < COOL;
		this.greeted.set(student, now);
		if (!again) chime('high');
		const done = new AbortController();
		const undo = async () => {
			try {
				await call('JournalService/RecordCheckIn', { student_id: student, method: 'METHOD_CANCELLED', cancels: line, by: t('door.by'), request_id: key() }, { signal, tries: 5 });
				this.greeted.delete(student);
				this.show('plain', 'undo', t('door.undone'), nameOf(student));
				await pause(1500, signal);
			} catch (error) {
				tellError(error);
			}
			done.abort();
		};
		this.show('good', 'tick', nameOf(student), t(again ? 'door.again' : 'door.welcome'), [[t('door.notMe'), () => { clearTimeout(timer); void undo(); }]]);
		const timer = setTimeout(() => done.abort(), SHOWN);
		await until(done.signal, this.signal);
	}

	/**
	 * @param {string[]} students
	 */
	async askWho(students) {
		chime('low');
		const done = new AbortController();
		const timer = setTimeout(() => done.abort(), ASKED);
		/** @param {string} student */
		const choose = async (student) => {
			clearTimeout(timer);
			await this.record(student, 'METHOD_BY_HAND', t('door.chosen'));
			done.abort();
		};
		this.show('unsure', 'question', t('door.which', { a: nameOf(students[0] ?? ''), b: nameOf(students[1] ?? '') }), '', [
			...students.map((student) => /** @type {[string, () => void]} */ ([nameOf(student), () => { void choose(student); }])),
			[t('door.neither'), () => { clearTimeout(timer); this.show('plain', 'unknown', t('door.unknown'), t('door.office')); setTimeout(() => done.abort(), SHOWN); }],
		]);
		await until(done.signal, this.signal);
	}

	/**
	 * Records a check-in without a face.
	 * @param {string} student
	 * @param {string} method
	 * @param {string} by
	 */
	async record(student, method, by) {
		try {
			await call('JournalService/RecordCheckIn', { student_id: student, method, by, request_id: key() }, { tries: 5 });
			chime('high');
			this.show('good', 'tick', nameOf(student), t('door.welcome'));
			this.rest = performance.now() + SHOWN;
			return true;
		} catch (error) {
			tellError(error);
			return false;
		}
	}

	/** Nobody has to give a face: a card, a PIN, or a person who says who it is. */
	withoutFace() {
		const student = h('input', { required: true, autocomplete: 'off' });
		const method = h('select', {}, ['METHOD_CARD', 'METHOD_PIN', 'METHOD_BY_HAND', 'METHOD_EXEMPT'].map((m) => h('option', { value: m }, word('method', m))));
		const by = h('input', { autocomplete: 'off' });
		openForm(t('door.without'), [
			h('p', { className: 'soft' }, t('door.withoutLead')),
			h('label', {}, t('student'), student), h('label', {}, t('door.method'), method), h('label', {}, t('door.who'), by),
		], t('door.checkIn'), () => this.record(student.value.trim(), method.value, by.value.trim() || t('door.by')));
	}

	settings() {
		const status = h('p', { className: 'soft', role: 'status' });
		const tellNames = () => fill(status, t('door.namesKnown', { n: knownNames() }));
		tellNames();
		const file = h('input', {
			type: 'file', accept: '.csv,.txt,text/csv',
			onchange: async () => {
				const chosen = file.files?.[0];
				if (!chosen) return;
				try {
					takeNames(await readFile(chosen));
					tellNames();
				} catch (error) {
					tellError(error);
				}
			},
		});
		const dialog = openDialog(t('door.settings'),
			h('label', {}, t('door.names'), file, h('span', { className: 'soft small' }, t('door.namesHint'))), status,
			h('div', { className: 'row' },
				h('button', { onclick: () => { forgetNames(); tellNames(); } }, t('door.forget')),
				h('button', { onclick: () => { unlockSound(); chime('high'); } }, t('door.sound'))),
			h('div', { className: 'row' },
				whoami().role === 'checkin' && h('button', { className: 'danger', onclick: () => this.unpair() }, t('door.unpair')),
				h('button', { className: 'first', autofocus: true, onclick: () => dialog.close() }, t('close'))));
	}

	async unpair() {
		try {
			await endSession();
			location.reload();
		} catch (error) {
			tellError(error);
		}
	}

	/**
	 * Says what is wrong.
	 * @param {unknown} error
	 * @returns {Promise<boolean>} whether to go on
	 */
	async trouble(error) {
		if (error instanceof NoCamera) {
			this.camera = undefined;
			this.show('bad', 'warn', t('door.noCamera'), error.message);
		} else if (error instanceof Refusal && error.code === 'unauthenticated') {
			return false; // the page that asks for a code takes this one's place
		} else if (error instanceof Refusal && error.code === 'resource_exhausted') {
			await pause(error.delay || AWAY, this.signal).catch(() => {}); // it is only busy
			return true;
		} else if (error instanceof Refusal && error.code === 'unavailable') {
			this.show('bad', 'warn', t('door.away'), t('door.office'));
		} else {
			this.show('bad', 'warn', t('door.failed'), error instanceof Error ? error.message : String(error));
		}
		await pause(AWAY, this.signal).catch(() => {});
		return true;
	}
}

/**
 * Whether two boxes are of one face, from one frame to the next.
 * @param {any} a
 * @param {any} b
 */
function overlap(a, b) {
	const across = Math.min((a.left ?? 0) + a.width, (b.left ?? 0) + b.width) - Math.max(a.left ?? 0, b.left ?? 0);
	const down = Math.min((a.top ?? 0) + a.height, (b.top ?? 0) + b.height) - Math.max(a.top ?? 0, b.top ?? 0);
	return across > 0 && down > 0 && across * down > 0.3 * Math.max(a.width * a.height, b.width * b.height);
}

/**
 * Waits until done ends, or throws when the page is left.
 * @param {AbortSignal} done
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function until(done, signal) {
	return new Promise((resolve, reject) => {
		if (done.aborted) resolve();
		done.addEventListener('abort', () => resolve());
		signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: done });
	});
}

/**
 * A network that is gone says nothing: the door does not wait for it for ever.
 * @param {AbortSignal} signal
 */
const limited = (signal) => AbortSignal.any([signal, AbortSignal.timeout(LONGEST)]);

/** A key that makes a check-in count once, however often it is sent. */
const key = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

customElements.define('rollcall-door', Door);
