// Which browser this is, before there is a cookie: docs/protocol.md, "boot".

import { endpoint } from './config';
import { BOOT, COOKIE } from './limits';

// The cookies are of one base path, and so is what is stored: a site may have
// several on one origin.
export const KEY = 'people' + endpoint;

// random returns so many hex digits.
export const random = (length: number): string =>
  [...crypto.getRandomValues(new Uint8Array(length))].map((n) => (n % 16).toString(16)).join('');

// The stored value, or its stand-in where reading localStorage throws.
let memory: any;

function remember(value: unknown): void {
  memory = '' + value;
  try {
    localStorage[KEY] = memory;
  } catch {}
}

// boot returns the 32 hex digits to send, or nothing where the browser was
// answered within the last hour: then the stored value is that time. It reads
// the storage anew each time, so that tabs opened together agree.
export function boot(): string | undefined {
  try {
    memory = localStorage[KEY] || memory;
  } catch {}
  if (memory?.length !== BOOT) {
    if (Date.now() - memory < COOKIE) return;
    remember(random(BOOT));
  }
  return memory;
}

// answered notes that the server has answered a request with a boot: the
// browser must have the cookie now.
export function answered(): void {
  if (boot()) remember(Date.now());
}
