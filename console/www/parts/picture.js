// A picture, or what the camera sees, with frames on the faces.

import { h, svg, fill } from '../dom.js';
import { word } from '../text.js';

/**
 * Returns a picture with a way to frame faces on it.
 * @param {HTMLImageElement | HTMLVideoElement} image
 * @returns {{element: HTMLElement, frame: (width: number, height: number, faces: Framed[]) => void}}
 */
export function picture(image) {
	const layer = svg('svg', { preserveAspectRatio: 'none' });
	const element = h('div.picture', image, layer);
	return {
		element,
		frame(width, height, faces) {
			layer.setAttribute('viewBox', `0 0 ${width} ${height}`);
			const letters = Math.max(width, height) / 45;
			fill(layer, faces.map((face) => {
				const { left: x = 0, top: y = 0, width: w, height: tall } = face.box;
				const at = svg('g', { class: face.tone ?? '' },
					svg('rect', { class: 'face', x, y, width: w, height: tall, rx: w / 12 }),
					face.label && svg('text', { x: x + w / 2, y: y + tall + letters * 1.3, 'font-size': letters, class: 'label', 'text-anchor': 'middle' }, face.label));
				if (face.choose) {
					at.setAttribute('tabindex', '0');
					at.setAttribute('role', 'button');
					at.setAttribute('aria-label', face.label ?? '');
					at.addEventListener('click', face.choose);
					at.addEventListener('keydown', (event) => {
						if (event instanceof KeyboardEvent && (event.key === 'Enter' || event.key === ' ')) {
							event.preventDefault();
							face.choose?.();
						}
					});
				}
				return at;
			}));
		},
	};
}

/**
 * Returns the image of a file once it is loaded. Its address is given back when it is.
 * @param {Blob} file
 * @param {string} alt
 * @returns {Promise<HTMLImageElement>}
 */
export async function imageOf(file, alt) {
	const image = h('img', { alt });
	const address = URL.createObjectURL(file);
	try {
		image.src = address;
		await image.decode();
	} catch {
		throw new Error(word('REFUSAL_NOT_AN_IMAGE'));
	} finally {
		URL.revokeObjectURL(address);
	}
	return image;
}
