// The calls of this page that have no answer yet, kept in localStorage under a
// key of this page instance so that a later page can send what this one could not.

import { random } from './device';
import { ABANDONED } from './limits';
import { json } from './page';
import { Code, Result, fail } from './results';

export interface Call {
  at_: number; // milliseconds since 1970, the browser's clock
  key_: string; // API key
  id_: string;
  body_: string; // members of the call but its page, as JSON without braces
  page_: string; // page block, as JSON
  size_: number; // bytes it adds to a request, at most
  code_?: Code; // of the error when it fails in the page
  done_?: (result: Result) => void;
}

const PREFIX = 'people.queue.';

// tab names this page instance in call ids.
export const tab = random(16);
const own = PREFIX + tab;

export const queue: Call[] = [];

export const sizeOf = (calls: Call[]) => calls.reduce((sum, { size_ }) => sum + size_, 0);

export const measure = (body: string, page: string) => new Blob([body, page]).size + 24;

// settle takes a call out of the queue with its result.
export function settle(call: Call, result: Result): void {
  queue.splice(queue.indexOf(call), 1);
  call.done_?.(result);
}

export const drop = (call: Call, cause: string) => settle(call, fail(call.code_, cause));

// save stores the queue, but nothing that may hold a token.
export function save(): void {
  const kept = queue.filter((call) => !call.body_.includes('"token"'));
  try {
    // The first entry is the time of writing, for browsers without locks.
    if (kept[0]) localStorage[own] = json([Date.now(), ...kept.map((c) => [c.at_, c.key_, c.id_, c.body_, c.page_])]);
    else delete localStorage[own];
  } catch {}
}

const { locks } = navigator;
let release: (() => void) | undefined;
let awake = false;

// hold keeps others from taking the queue while this page lives. A lock held
// by a sleeping page would evict it from the back/forward cache, so it is let
// go at pagehide.
export function hold(): void {
  if (!awake) locks?.request(own, () => awake && new Promise<void>((done) => (release = done))).catch(() => {});
  awake = true;
}

export function letGo(): void {
  awake = false;
  release?.();
}

// adopt takes over the queues of pages that are gone, and calls found when it
// took any.
export function adopt(found: () => void): void {
  try {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(PREFIX) || key === own) continue;
      const take = (free: unknown) => {
        if (!free) return;
        const [, ...stored] = JSON.parse(localStorage[key]);
        delete localStorage[key];
        for (const [at_, key_, id_, body_, page_] of stored) {
          JSON.parse(`[{${body_}},${page_}]`); // a damaged entry would spoil its whole batch
          queue.push({ at_, key_, id_, body_, page_, size_: measure(body_, page_) });
        }
        found();
      };
      if (locks) locks.request(key, { ifAvailable: true }, take).catch(() => {});
      else take(!(Date.now() - JSON.parse(localStorage[key])[0] < ABANDONED));
    }
  } catch {}
}
