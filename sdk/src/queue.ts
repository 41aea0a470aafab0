// The calls of this page that have no answer yet, kept in localStorage under a
// key of this page instance so that a later page can send what this one could not.

import { KEY, random } from './device';
import { TAB } from './limits';
import { json } from './page';
import { Code, Result, fail } from './results';

// Call is stored as it is, but for the function: its members are the format.
export interface Call {
  at: number; // milliseconds since 1970, the browser's clock
  key: string; // API key
  id: string;
  body: string; // members of the call but its page, as JSON without braces
  page: string; // page block, as JSON
  size: number; // bytes it adds to a request, at most
  code?: Code; // of the error when it fails in the page
  done?: (result: Result) => void;
}

const PREFIX = KEY + '-';

// tab names this page instance in call ids.
export let tab: string | undefined;
let own: string;

export function identify(): void {
  tab = tab || random(TAB);
  own = PREFIX + tab;
}

export const queue: Call[] = [];

export const sizeOf = (calls: Call[]) => calls.reduce((sum, { size }) => sum + size, 0);

// settle takes a call out of the queue with its result.
export function settle(call: Call, result: Result): void {
  queue.splice(queue.indexOf(call), 1);
  call.done?.(result);
}

// save stores the queue, but nothing that may hold a token. Without locks,
// which only secure contexts have, nobody could take it over safely.
export function save(): void {
  try {
    const kept = queue.filter(({ body }) => !body.includes('"token"'));
    if (kept[0] && navigator.locks) localStorage[own] = json(kept);
    else delete localStorage[own];
  } catch {}
}

let release: (() => void) | undefined;
let awake = false;

// hold keeps others from taking the queue while this page lives. A lock held
// by a sleeping page would evict it from the back/forward cache, so it is let
// go at pagehide.
export function hold(): void {
  if (!awake) navigator.locks?.request(own, () => awake && new Promise<void>((done) => (release = done))).catch(() => {});
  awake = true;
}

export function letGo(): void {
  awake = false;
  release?.();
}

// adopt takes over the queues of pages that are gone, and calls found when it
// took any.
export function adopt(found: () => void): void {
  const take = (lock: Lock | null) => {
    const { name } = lock!; // held by a living page: nothing to do, and nobody sees this throw
    queue.push(...JSON.parse(localStorage[name]));
    delete localStorage[name];
    found();
  };
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(PREFIX) && key !== own) navigator.locks.request(key, { ifAvailable: true }, take).catch(() => {});
    }
  } catch {}
}
