// Sends the queue: one request at a time, in order, until each call is answered.

import { endpoint } from './config';
import { answered, boot } from './device';
import {
  CONFIRM, DAY, HOPELESS, LONGEST, MOST_CALLS, MOST_KEEPALIVE, MOST_SENT, MOST_UNANSWERED, MOST_WAITING, PATIENCE, SLOWEST,
} from './limits';
import { json, moment } from './page';
import { Call, drop, measure, queue, save, settle, sizeOf, tab } from './queue';
import { isOpen, ready } from './ready';
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
let timer: any;
let scheduled = false;

// enqueue adds a call and resolves to its result, or five seconds after it
// could leave to a failure that says the call is kept. onAnswer gets the real
// result, also when it comes later than that.
export function enqueue(
  method: string,
  params = '{}',
  code_?: Code,
  onAnswer?: (result: Result) => void,
  [at_, page_] = moment(),
): Promise<Result> {
  return new Promise((resolve) => {
    const id_ = tab + '-' + ++sequence;
    const stamp = pendingChat ? epoch + '+' + pendingChat : epoch;
    const body_ = `"id":"${id_}","at":"${new Date(at_).toJSON()}",${stamp && `"epoch":"${stamp}",`}"method":"${method}","params":${params}`;
    const size_ = measure(body_, page_);
    if (size_ > MOST_SENT || queue.length >= MOST_CALLS || sizeOf(queue) > MOST_WAITING) return resolve(fail(code_, 'too large'));
    if (method === 'chat') pendingChat = id_;
    queue.push({
      at_,
      key_: key!,
      id_,
      body_,
      page_,
      size_,
      code_,
      done_(result) {
        if (pendingChat === id_) pendingChat = '';
        onAnswer?.(result);
        resolve(result);
      },
    });
    ready.then(() => setTimeout(() => resolve(fail(code_, 'not confirmed yet, kept and sent again')), CONFIRM));
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
// many as share an API key and fit.
function pack(from: number, most: number, room: number, calls: Call[] = []): string {
  const { key_ } = queue[from];
  for (const call of queue.slice(from)) {
    if (calls.length >= most || call.key_ !== key_ || (room -= call.size_) < 0) break;
    calls.push(call);
  }
  const pages = [...new Set(calls.map((call) => call.page_))];
  const list = calls.map((call) => `{"page":${pages.indexOf(call.page_)},${call.body_}}`);
  return `${json({ apiKey: key_, sentAt: new Date(), boot: boot() }).slice(0, -1)},"pages":[${pages}],"calls":[${list}]}`;
}

async function send(): Promise<void> {
  if (flying || timer) return;
  for (const call of [...queue]) if (Date.now() - call.at_ > DAY) drop(call, 'too old');
  if (!queue[0]) return;
  const calls: Call[] = [];
  let status = 0;
  let wait = 0;
  let answer: any;
  try {
    const body = pack(0, limit, MOST_SENT, calls);
    flying = calls.length;
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
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
  if (results?.find || (status > 399 && status < 500 && status !== 429)) {
    receive(calls, answer, results, status);
    return;
  }
  const pause = Math.min(1e3 * 2 ** failures++, SLOWEST);
  timer =
    epoch || status || failures < HOPELESS
      ? setTimeout(resume, Math.min(wait || 0, LONGEST) + (pause * (1 + Math.random())) / 2)
      : 1; // until the network comes back, or the next page
}

function receive(calls: Call[], answer: any, results: any, status: number): void {
  failures = 0;
  if (results) {
    epoch = answer.epoch || epoch;
    answered();
  }
  if (status === 413 && calls[1]) limit = calls.length >> 1;
  else {
    limit = MOST_UNANSWERED;
    for (const call of calls) {
      const { id, ...result } = (results ? results.find((r: any) => r?.id === call.id_) : answer) || {};
      settle(call, 'success' in result ? result : fail(call.code_, 'status ' + status));
    }
  }
  save();
  send();
}

function resume(): void {
  clearTimeout(timer);
  timer = 0;
  send();
}

// reconnect tries at once when the network is back, unless the server asked to wait.
export function reconnect(): void {
  if (unreachable) resume();
}

// flush is for the end of a page: whatever is not in flight leaves now, as far
// as the browser carries it; the storage has the rest.
export function flush(): void {
  if (!isOpen() || !queue[0]) return;
  save();
  send(); // runs up to its request before it returns
  const next = queue[flying];
  if (!flying || !next) return;
  // Before the first answer the beacon may be the request that makes the
  // device, so it repeats the init call under its id.
  const sent = queue.slice(0, flying);
  const calls = sent.filter((call) => !epoch && call.key_ === next.key_ && call.body_.includes('"method":"init"'));
  const known = calls.length;
  try {
    const body = pack(flying, MOST_UNANSWERED - flying + known, MOST_KEEPALIVE - sizeOf(sent.concat(calls)), calls);
    if (calls[known]) navigator.sendBeacon(endpoint, body);
  } catch {}
}
