// The camera of this machine.

import { h } from '../dom.js';
import { t } from '../text.js';

/** Why there is no picture, in words for a person. */
export class NoCamera extends Error {
	refused = false; // by a person: who has to allow it
}

/**
 * A camera that runs. Pictures are taken from it as JPEG, at the size it has.
 */
export class Camera {
	/** @param {MediaStream} stream */
	constructor(stream) {
		this.stream = stream;
		this.video = h('video', { autoplay: true, muted: true, playsInline: true, 'aria-label': t('camera.label') });
		this.video.srcObject = stream;
		this.canvas = document.createElement('canvas');
	}

	/**
	 * Starts the camera. Throws NoCamera.
	 * @returns {Promise<Camera>}
	 */
	static async start() {
		if (!navigator.mediaDevices?.getUserMedia) throw new NoCamera(t('camera.insecure'));
		let stream;
		try {
			stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: { ideal: 'user' } } });
		} catch (error) {
			const name = error instanceof DOMException ? error.name : '';
			const refused = name === 'NotAllowedError';
			throw Object.assign(new NoCamera(t(refused ? 'camera.refused' : name === 'NotReadableError' ? 'camera.busy' : 'camera.missing')), { refused });
		}
		const camera = new Camera(stream);
		await camera.video.play().catch((error) => {
			camera.stop();
			throw error;
		});
		return camera;
	}

	/** Whether the camera still gives pictures: one can be pulled out. */
	get alive() {
		return this.stream.getVideoTracks().some((track) => track.readyState === 'live');
	}

	/**
	 * Returns what the camera sees now. Throws NoCamera if it was pulled out.
	 * @returns {Promise<Blob>} JPEG
	 */
	async frame() {
		const { video, canvas } = this;
		if (!this.alive) throw new NoCamera(t('camera.missing'));
		canvas.width = video.videoWidth;
		canvas.height = video.videoHeight;
		/** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).drawImage(video, 0, 0);
		return new Promise((resolve, reject) => {
			canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new NoCamera(t('camera.missing')))), 'image/jpeg', 0.92);
		});
	}

	stop() {
		for (const track of this.stream.getTracks()) track.stop();
	}
}
