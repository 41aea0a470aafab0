// The calls that have no answer yet. Each is kept in localStorage under a key of
// its own, written once and removed once, so that a later page can send what
// this one could not. A process of the browser may see the storage of before,
// whatever lock it holds: to change or move what is stored would lose calls.

import { endpoint } from './config';
import { consented } from './consent';
import { random } from './device';
import { MOST_CALLS, MOST_WAITING, DAY, TAB } from './limits';
import { json } from './page';
import { Result, fail } from './results';
import { KEY, write } from './storage';

// Call is stored as it is, but for its function: the other members are the format.
export interface Call {
  id: string; // in localStorage: the page instance's, and a number
  at: number; // milliseconds since 1970, the browser's clock
  key: string; // API key
  body: string; // members of the call but its page, as JSON without braces
  page: string; // page block, as JSON
  size: number; // bytes it adds to a request, at most
  method: string;
  done?: (result: Result) => void;
  away?: 0 | 1; // 1 while it is in a request, 0 when there is nothing to store any more
}

// tab names this page instance in call ids.
export const tab = random(TAB);
export const own = KEY + '-' + tab;

export let queue: Call[] = [];

export const sizeOf = (calls: Call[]) => calls.reduce((sum, { size }) => sum + size, 0);

// add puts a call behind the others. But the server has to read of consent
// before it reads the rest.
export const add = (call: Call) => queue[call.method === 'consent' ? 'unshift' : 'push'](call);

// settle takes a call out of the queue with its result.
export const settle = (call: Call, result: Result) => {
  queue = queue.filter((other) => other !== call);
  write(call.id);
  call.done?.(result);
};

let longest = DAY;

// prune drops what is too old, and the oldest of what is too much. An init that
// fails would take all later calls with it.
export const prune = (): void => {
  for (const call of queue)
    if ((call.method !== 'init' && (queue.length > MOST_CALLS || sizeOf(queue) > MOST_WAITING)) || Date.now() - call.at > longest)
      settle(call, fail(call.method, 'dropped'));
};

// What a policy of the site forbids it forbids as long as the page lives:
// nothing may wait any more.
addEventListener('securitypolicyviolation', ({ blockedURI, disposition }) => {
  if (blockedURI === endpoint && disposition === 'enforce') longest = -1;
});

// save stores what is not stored yet, but nothing that may hold a token. Without
// locks, which only secure contexts have, nobody could take it over safely.
export const save = () => {
  for (const call of queue)
    if (call.away == null && navigator.locks && consented() && !call.body.includes('"token"')) {
      call.away = 0;
      write(call.id, json(call));
    }
};
