// The calls of this page that have no answer yet, kept in localStorage under a
// key of this page instance so that a later page can send what this one could not.

import { DAY, random } from './device';
import { json } from './page';
import { Code, Result, fail } from './results';
import { keys, read, write } from './storage';

export interface Call {
  id_: string;
  at_: number; // milliseconds since 1970, the browser's clock
  key_: string; // API key
  body_: string; // members of the call but its page, as JSON without braces
  page_: string; // page block, as JSON
  size_: number; // bytes it adds to a request, at most
  code_: Code; // of the error when it fails in the page
  secret_?: boolean; // holds a token: never stored
  first_?: boolean; // an init call
  done_?: (result: Result) => void;
}

const PREFIX = 'people.queue.';
const MOST_CALLS = 500;
const MOST_BYTES = 262144;
const ABANDONED = 3e4; // ms without a write after which a queue is taken over where there are no locks

// tab names this page instance in call ids.
export const tab = random('abcdefghijklmnopqrstuvwxyz234567', 12);
const own = PREFIX + tab;

export const queue: Call[] = [];

// flying is how many calls at the front of the queue are in a request now.
let flying = 0;
export const inFlight = () => flying;
export function setInFlight(n: number): void {
  flying = n;
}

export const sizeOf = (body: string, page: string) => new Blob([body, page]).size + 24;

export function add(call: Call): void {
  queue.push(call);
  let bytes = queue.reduce((sum, { size_ }) => sum + size_, 0);
  while (queue.length > MOST_CALLS || bytes > MOST_BYTES) {
    const oldest = queue[flying];
    bytes -= oldest.size_;
    settle(oldest, fail(oldest.code_, 'too many calls wait to be sent'));
  }
}

// settle takes a call out of the queue with its result.
export function settle(call: Call, result: Result): void {
  const index = queue.indexOf(call);
  if (index < 0) return;
  queue.splice(index, 1);
  if (index < flying) flying--;
  call.done_?.(result);
}

// expire settles what is too old to be recorded (B35).
export function expire(): void {
  for (const call of queue.slice(flying)) {
    if (Date.now() - call.at_ > DAY) settle(call, fail(call.code_, 'not delivered within 24 hours'));
  }
}

export function save(): void {
  const kept = queue.filter((call) => !call.secret_);
  // The first entry is the time of writing, for browsers without locks.
  write(own, kept[0] && json([Date.now(), ...kept.map((c) => [c.id_, c.at_, c.key_, c.body_, c.page_, c.code_])]));
}

let release: (() => void) | undefined;
let awake = false;

// hold keeps others from taking the queue while this page lives. A lock held
// by a sleeping page would evict it from the back/forward cache, so it is let
// go at pagehide.
export function hold(): void {
  if (awake) return;
  awake = true;
  navigator.locks?.request(own, () => awake && new Promise<void>((done) => (release = done))).catch(() => {});
}

export function letGo(): void {
  awake = false;
  release?.();
}

// adopt takes over the queues of pages that are gone, and calls found when it
// took any.
export function adopt(found: () => void): void {
  for (const key of keys(PREFIX)) {
    if (key === own) continue;
    const take = () => {
      if (takeOver(key)) found();
    };
    if (navigator.locks) navigator.locks.request(key, { ifAvailable: true }, (lock) => lock && take()).catch(() => {});
    else if (!(Date.now() - parseInt(read(key)!.slice(1)) < ABANDONED)) take();
  }
}

function takeOver(key: string): boolean {
  const before = queue.length;
  try {
    const stored = JSON.parse(read(key)!);
    write(key);
    const calls = stored.slice(1).map(([id_, at_, key_, body_, page_, code_]: any): Call => {
      JSON.parse(`[{${body_}},${page_}]`); // a damaged entry would spoil its whole batch
      return { id_, at_, key_, body_, page_, code_, size_: sizeOf(body_, page_) };
    });
    queue.splice(flying, 0, ...calls);
    save();
  } catch {}
  return queue.length > before;
}
