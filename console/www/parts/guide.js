// Takes pictures of one student with the camera: straight, and turned a little to each
// side. The server measures each frame; a picture is taken when it is good.

import { base64, call, pause, Refusal } from '../api.js';
import { fill, h } from '../dom.js';
import { t, word } from '../text.js';
import { Camera, NoCamera } from './camera.js';
import { GOOD } from './crops.js';
import { picture } from './picture.js';

/**
 * The poses, by the angle to which the head is turned, in degrees, to the right as seen in
 * the picture.
 * @type {{name: 'straight' | 'oneSide' | 'otherSide', fits: (yaw: number, before: number) => boolean}[]}
 */
const poses = [
	{ name: 'straight', fits: (yaw) => Math.abs(yaw) < 10 },
	{ name: 'oneSide', fits: (yaw) => turned(yaw) },
	{ name: 'otherSide', fits: (yaw, before) => turned(yaw) && yaw * before < 0 },
];

const turned = (/** @type {number} */ yaw) => Math.abs(yaw) > 8 && Math.abs(yaw) < 35;

const LEAST_PAUSE = 200; // milliseconds between two frames
const PATIENCE = 8000; // milliseconds after which a good picture in another pose will do

/**
 * Returns the place with the camera in it. It ends with the signal.
 * @param {(picture: Blob) => Promise<boolean>} take what to do with a picture; false: take
 *   this pose again
 * @param {AbortSignal} signal
 */
export function guide(take, signal) {
	const sight = h('div');
	const words = h('strong', { role: 'status' });
	const steps = h('ol.row.small');
	const place = h('div.stack.guide', sight, words, steps);
	/** @param {number} at */
	const showSteps = (at) => fill(steps, poses.map((pose, i) => h(`li.tag.${i < at ? 'good' : i === at ? 'unsure' : 'plain'}`, t(`enrol.poses.${pose.name}`))));

	/** @type {Camera | undefined} */
	let camera;
	const run = async () => {
		camera = await Camera.start();
		signal.addEventListener('abort', () => camera?.stop());
		if (signal.aborted) return camera.stop();
		const { element, frame } = picture(camera.video);
		fill(sight, element);
		let [at, side, asked] = [0, 0, performance.now()];
		for (let pose = poses[0]; pose && !signal.aborted; pose = poses[at]) {
			showSteps(at);
			const began = performance.now();
			const image = await camera.frame();
			const found = await call('AttendanceService/Detect', { image: await base64(image) }, { signal, tries: 20 });
			const face = found.faces?.[0];
			const quality = face?.quality ?? {};
			const reason = face ? (face.reasons ?? quality.reasons ?? [])[0] : 'REASON_NO_FACE';
			const yaw = quality.yaw ?? 0;
			const fits = pose.fits(yaw, side) || began - asked > PATIENCE;
			const good = !reason && (quality.score ?? 0) >= GOOD;
			frame(found.width, found.height, face ? [{ box: face.box, tone: !good ? 'bad' : fits ? 'good' : 'unsure' }] : []);
			fill(words, reason ? word(reason) : good ? t(`enrol.ask.${pose.name}`) : word('REASON_LOW_QUALITY'));
			if (good && fits) {
				if (await take(image)) [at, side] = [at + 1, yaw];
				asked = performance.now();
			} else {
				await pause(Math.max(0, LEAST_PAUSE - (performance.now() - began)), signal);
			}
		}
		showSteps(poses.length);
		fill(words, t('enrol.guideDone'));
		camera.stop();
		fill(sight);
	};
	run().catch((error) => {
		camera?.stop();
		if (signal.aborted) return;
		if (!(error instanceof NoCamera || error instanceof Refusal)) throw error;
		fill(sight, h('p.note.bad', error.message));
	});
	return place;
}
