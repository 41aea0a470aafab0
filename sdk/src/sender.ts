// Sends the queue: one request at a time, in order, until each call is answered.

import { endpoint } from './config';
import { answered, boot } from './device';
import { CONFIRM, DAY, LONGEST, MOST_SENT, MOST_UNANSWERED, MOST_WAITING, PATIENCE } from './limits';
import { json, moment } from './page';
import { Call, queue, save, settle, sizeOf, tab } from './queue';
import { ready } from './ready';
import { Code, Result, fail } from './results';

// key is the API key in force; without one there was no init.
export let key: string | undefined;
export function useKey(apiKey?: string): void {
  key = apiKey;
}

let epoch = '';
let pendingChat = ''; // id of the newest chat call without an answer
let sequence = 0;
let flying = 0; // calls at the front of the queue that are in a request now
let limit = MOST_UNANSWERED;
let failures = 0;
let unreachable = false; // the last attempt had no answer at all
let carried: Call | undefined; // last call a beacon took
let timer: any = true; // of the next attempt; true until calls may leave at all
let scheduled = false;

ready.then(() => (timer = 0));

// enqueue adds a call and resolves to its result, or five seconds after it
// could leave to a failure that says the call is kept. onAnswer gets the real
// result, also when it comes later than that.
export function enqueue(
  method: string,
  params = '{}',
  code?: Code,
  onAnswer?: (result: Result) => void,
  [at, page] = moment(),
): Promise<Result> {
  return new Promise((resolve) => {
    const id = tab + '-' + ++sequence;
    const stamp = pendingChat ? epoch + '+' + pendingChat : epoch;
    const body = `"id":"${id}","at":"${new Date(at).toJSON()}",${stamp && `"epoch":"${stamp}",`}"method":"${method}","params":${params}`;
    const size = new Blob([body, page]).size + 24;
    if (size > MOST_SENT || sizeOf(queue) > MOST_WAITING) return resolve(fail(code, 'too large'));
    if (method === 'chat') pendingChat = id;
    const done = (result: Result) => {
      if (pendingChat === id) pendingChat = '';
      onAnswer?.(result);
      resolve(result);
    };
    queue.push({ at, key: key!, id, body, page, size, code, done });
    ready.then(() => setTimeout(() => resolve(fail(code, 'no answer yet, will be sent again')), CONFIRM));
    schedule();
  });
}

// schedule sends at the end of the turn, so that calls made together travel
// together, and never before Live Chat is ready.
export function schedule(): void {
  if (!scheduled)
    ready.then(() => {
      scheduled = false;
      save();
      send();
    });
  scheduled = true;
}

// pack makes a request of the calls from the given index of the queue on, as
// many as share an API key and fit. Whatever follows one that does not stays.
function pack(from: number, most: number, room: number): [Call[], string] {
  const { key } = queue[from];
  const calls = queue.slice(from, from + most).filter((call) => (room -= call.key === key ? call.size : Infinity) >= 0);
  const pages = [...new Set(calls.map((call) => call.page))];
  const list = calls.map((call) => `{"page":${pages.indexOf(call.page)},${call.body}}`);
  return [calls, `${json({ apiKey: key, sentAt: new Date(), boot: boot() }).slice(0, -1)},"pages":[${pages}],"calls":[${list}]}`];
}

async function send(): Promise<void> {
  if (flying || timer) return;
  for (const call of [...queue]) if (Date.now() - call.at > DAY) settle(call, fail(call.code, 'too late'));
  if (!queue[0]) return;
  const [calls, body] = pack(0, limit, MOST_SENT);
  let status = 0;
  let wait = 0;
  let answer: any;
  try {
    flying = calls.length;
    const response = await fetch(endpoint, {
      method: 'POST',
      body, // as text/plain, like a beacon: the server takes both, and no preflight is ever needed
      // Other scripts may have used up what keepalive requests share: then a
      // plain one still gets through.
      keepalive: !unreachable,
      signal: AbortSignal.timeout?.(PATIENCE),
    });
    status = response.status;
    wait = +response.headers.get('Retry-After')! * 1e3;
    answer = await response.json();
  } catch {}
  flying = 0;
  unreachable = !status;
  const results = status === 200 && answer?.results;
  if (results?.find || /^4(?!29)/.test(status as any)) {
    failures = 0;
    if (results) {
      epoch = answer.epoch || epoch;
      answered();
    }
    if (status === 413 && calls[1]) limit = calls.length >> 1;
    else {
      limit = MOST_UNANSWERED;
      for (const call of calls) {
        const { id, ...result } = (results ? results.find((r: any) => r?.id === call.id) : answer) || {};
        settle(call, 'success' in result ? result : fail(call.code, 'status ' + status));
      }
    }
    save();
    send();
  } else {
    // At random between what the server asked for and an ever growing pause, so
    // that the pages of a site do not come back all at once.
    timer = setTimeout(resume, Math.min((wait || 0) + 1e3 * 2 ** failures++ * Math.random(), LONGEST));
  }
}

function resume(): void {
  clearTimeout(timer);
  timer = 0;
  send();
}

// refuse gives up waiting for Live Chat: init first, then what queued behind it.
export function refuse(): void {
  if (timer === true) [...queue].forEach((call, i) => settle(call, fail(i ? 2015 : 4001)));
}

// The network is back: no need to wait, unless the server asked for it.
addEventListener('online', () => unreachable && resume());

// flush is for the end of a page: whatever is not in flight leaves now, as far
// as the browser carries it; the storage has the rest.
export function flush(): void {
  if (timer || !queue[0]) return;
  save();
  send(); // runs up to its request before it returns
  const last = queue[queue.length - 1];
  if (!queue[flying] || last === carried) return;
  carried = last; // the end of a page has several events
  // Before the first answer the beacon may be the request that makes the
  // device, so it repeats what is in flight, init first, under the same ids.
  const from = epoch ? flying : 0;
  try {
    const [calls, body] = pack(from, MOST_UNANSWERED - from, MOST_SENT - sizeOf(queue.slice(0, flying)));
    if (calls[0]) navigator.sendBeacon(endpoint, body);
  } catch {}
}
