// Which browser this is, before there is a cookie, and who it is, as far as
// the server told: docs/protocol.md, "boot" and "epoch".

import { BOOT, COOKIE } from './limits';
import { KEY, write } from './storage';

// random returns so many hex digits.
export const random = (length: number): string =>
  [...crypto.getRandomValues(new Uint8Array(length))].map((n) => (n % 16).toString(16)).join('');

// What is stored: 32 hex digits until the first answer, after that the time of
// an answer and the newest epoch any tab was told, with a space between. The
// copy stands in where storage is blocked.
let copy = '';

const stored = (): string[] => {
  try {
    copy = localStorage[KEY] || copy;
  } catch {}
  return copy.split(' ');
};

const store = (text: string) => write(KEY, (copy = text));

// boot returns the 32 hex digits to send, or nothing where the browser was
// answered within the last hour. It reads the storage anew each time, so that
// tabs opened together agree.
export const boot = (): string | undefined => {
  const [word] = stored();
  if (!word || Date.now() - +word > COOKIE) store(random(BOOT));
  if (!copy.includes(' ')) return copy;
};

let epoch = '';
const former = new Set<string>();

// enter takes an epoch for the present one and tells whether it is news. None
// ever comes back, so what this page has left already is an older answer.
const enter = (told?: string): unknown => told && !former.has(told) && former.add((epoch = told));

// current is the epoch of a call that is made now. A page that was answered
// itself goes along with what another tab has been told since. One that was not
// says nothing: what it finds stored may be over for days.
export const current = (): string => {
  if (epoch) enter(stored()[1]);
  return epoch;
};

// answered notes the epoch of an answer. The browser must have the cookie now.
export const answered = (told: string): void => {
  if (enter(told) || (told && boot())) store(Date.now() + ' ' + epoch);
};

// forget makes this a browser that nobody knows.
export const forget = (): void => {
  copy = epoch = '';
};
