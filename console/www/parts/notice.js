// Short messages at the lower edge, and questions that wait for an answer.

import { h } from '../dom.js';
import { t } from '../text.js';

const SECONDS = 8;

/**
 * Tells something for some seconds, to screen readers too.
 * @param {string} text
 * @param {{label: string, act: () => void}} [action] a button beside it: to undo, say
 */
export function tell(text, action) {
  const board = document.querySelector('.notices') ?? makeBoard();
  const notice = h('div', { className: 'row' }, h('span', { className: 'grow' }, text));
  const close = () => notice.remove();
  if (action) {
    notice.append(h('button', { onclick: () => { close(); action.act(); } }, action.label));
  }
  board.append(notice);
  setTimeout(close, SECONDS * 1000);
}

function makeBoard() {
  const board = h('div', { className: 'notices', role: 'status', 'aria-live': 'polite' });
  document.body.append(board);
  return board;
}

/**
 * Tells what went wrong: the server's own words, which say what to do.
 * @param {unknown} error
 */
export function tellError(error) {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  tell(error instanceof Error ? error.message : String(error));
}

/**
 * Asks, in a dialog, before something is done that cannot be taken back.
 * @param {string} question
 * @param {{text?: string, yes: string, danger?: boolean}} options
 * @returns {Promise<boolean>}
 */
export function ask(question, { text, yes, danger = false }) {
  return new Promise((resolve) => {
    const dialog = h('dialog', { className: 'ask', 'aria-label': question, onclose: () => { dialog.remove(); resolve(dialog.returnValue === 'yes'); } },
      h('form', { method: 'dialog', className: 'stack' },
        h('h2', {}, question),
        text && h('p', {}, text),
        h('div', { className: 'row' },
          h('button', { value: 'yes', className: danger ? 'danger' : 'first' }, yes),
          h('button', { value: 'no', autofocus: true }, t('cancel')))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
