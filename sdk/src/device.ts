// Which browser this is, before there is a cookie: docs/protocol.md, "boot".

import { read, write } from './storage';

const KEY = 'people.boot';
export const DAY = 864e5;

// random makes a word of the given alphabet, whose length divides 256.
export function random(alphabet: string, length: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (n) => alphabet[n % alphabet.length]).join('');
}

// boot returns the 32 hex digits to send, or nothing where the browser was
// answered within the last day. It reads the storage anew each time, so that
// tabs opened together agree.
export function boot(): string | undefined {
  const stored = read(KEY) || '';
  if (/^[0-9a-f]{32}$/.test(stored)) return stored;
  if (Math.abs(Date.now() - +stored) < DAY) return;
  const fresh = random('0123456789abcdef', 32);
  write(KEY, fresh);
  return fresh;
}

// answered notes that the server has answered a request with a boot: the
// browser must have the cookie now.
export function answered(): void {
  if (boot()) write(KEY, '' + Date.now());
}
