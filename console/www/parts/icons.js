// The icons, drawn as lines on a grid of 24.

import { svg } from '../dom.js';

const RING = 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z';

export const shapes = {
	door: 'M5 21V4a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v17M3 21h18M12.5 12h.01M16 21V8l3-1v14',
	enrol: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM2 21v-1a6 6 0 0 1 6-6h2a6 6 0 0 1 4 1.5M18 14v7M14.5 17.5h7',
	identify: 'M4 8V5a1 1 0 0 1 1-1h3M16 4h3a1 1 0 0 1 1 1v3M20 16v3a1 1 0 0 1-1 1h-3M8 20H5a1 1 0 0 1-1-1v-3M12 13a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 12 13ZM7.5 18a4.5 4.5 0 0 1 9 0',
	photo: 'M4 5h16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1ZM8.5 11a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM4 18l5-5 3 3 4-5 5 6',
	students: 'M8 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2 20a6 6 0 0 1 12 0M16 4.5a3.5 3.5 0 0 1 0 6M17 14.5A6 6 0 0 1 22 20',
	health: 'M3 12h4l2.5-7 4.5 14 2.5-7H21',
	signout: 'M14 4h5a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1h-5M10 16l-4-4 4-4M6 12h10',
	tick: `${RING}M8 12.5l2.8 2.8L16 9.5`,
	question: `${RING}M9.5 9.5a2.5 2.5 0 1 1 3.7 2.2c-.8.4-1.2 1-1.2 1.8M12 16.8h.01`,
	unknown: `${RING}M8 12h8`,
	warn: 'M12 4 2.5 20h19L12 4ZM12 10v4.5M12 17.3h.01',
	camera: 'M4 7h3l2-3h6l2 3h3a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1ZM12 17a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z',
	upload: 'M12 15V4M7.5 8.5 12 4l4.5 4.5M4 15v4a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-4',
	download: 'M12 4v11M7.5 10.5 12 15l4.5-4.5M4 15v4a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-4',
	undo: 'M8 5 4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3',
	remove: 'M4 7h16M9 7V4h6v3M6 7l1 14h10l1-14M10 11v6M14 11v6',
};

/**
 * Returns an icon. It is for the eye only: the words stand beside it.
 * @param {IconName} name
 */
export function icon(name) {
	return svg('svg', { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' }, svg('path', { d: shapes[name] }));
}
