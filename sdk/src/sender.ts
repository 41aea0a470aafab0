// Sends the queue: one request at a time, in order, until each call is answered.

import { endpoint } from './config';
import { answered, boot } from './device';
import { here, json } from './page';
import { Call, add, expire, inFlight, queue, save, setInFlight, settle, sizeOf, tab } from './queue';
import { Code, Result, fail } from './results';

const MOST_UNANSWERED = 64; // docs/protocol.md
const MOST_BYTES = 6e4; // of the 65,536 a browser and the server accept
const MOST_KEEPALIVE = 65e3; // of the 65,536 that requests outliving a page share
const CONFIRM = 5e3; // ms until a promise resolves without an answer (B35)
const PATIENCE = 3e4; // ms a request may take
const SLOWEST = 3e5; // ms between attempts, unless the server asks for more
const LONGEST = 36e5; // ms the server can make us wait: far larger values overflow a timer
const HOPELESS = 8; // attempts without ever an answer: a policy of the site forbids the connection

let epoch = '';
let pendingChat = ''; // id of the newest chat call without an answer
let sequence = 0;
let limit = MOST_UNANSWERED;
let failures = 0;
let offline = false; // the last attempt had no answer at all
let timer: unknown;
let scheduled = false;

// Moment is when and where the page made a call.
export type Moment = [at: number, page: string];
export const moment = (): Moment => [Date.now(), here()];

// enqueue adds a call and resolves to its result, or after five seconds to a
// failure that says the call is kept. onAnswer gets the real result, also when
// it comes later than that.
export function enqueue(
  key_: string,
  method: string,
  params: string,
  code_: Code = 2020,
  [at_, page_] = moment(),
  onAnswer?: (result: Result) => void,
): Promise<Result> {
  return new Promise((resolve) => {
    const id_ = tab + '-' + ++sequence;
    const stamp = pendingChat ? epoch + '+' + pendingChat : epoch;
    const body_ =
      json({ id: id_, at: new Date(at_).toISOString(), epoch: stamp || undefined, method }).slice(1, -1) +
      ',"params":' +
      params;
    const call: Call = {
      id_,
      at_,
      key_,
      body_,
      page_,
      code_,
      size_: sizeOf(body_, page_),
      secret_: method === 'chat' && /"token"/.test(params),
      first_: method === 'init',
      done_(result) {
        if (pendingChat === id_) pendingChat = '';
        onAnswer?.(result);
        resolve(result);
      },
    };
    if (call.size_ > MOST_BYTES) return call.done_!(fail(code_, 'too large'));
    if (method === 'chat') pendingChat = id_;
    add(call);
    setTimeout(() => resolve(fail(code_, 'not confirmed yet, the call is kept and sent again')), CONFIRM);
    schedule();
  });
}

// schedule sends at the end of the turn, so that calls made together travel together.
export function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  Promise.resolve().then(() => {
    scheduled = false;
    save();
    send();
  });
}

// pack makes a request of the calls from the given index of the queue on, as
// many as share an API key and fit.
function pack(from: number, most: number, room: number, calls: Call[] = []): [Call[], string] {
  const key = queue[from].key_;
  for (const call of queue.slice(from)) {
    if (calls.length >= most || call.key_ !== key || (room -= call.size_) < 0) break;
    calls.push(call);
  }
  const pages = [...new Set(calls.map((call) => call.page_))];
  const list = calls.map((call) => `{"page":${pages.indexOf(call.page_)},${call.body_}}`);
  const head = json({ apiKey: key, sentAt: new Date(), boot: boot() }).slice(0, -1);
  return [calls, `${head},"pages":[${pages}],"calls":[${list}]}`];
}

async function send(): Promise<void> {
  if (inFlight() || timer) return;
  expire();
  if (!queue[0]) return;
  const [calls, body] = pack(0, limit, MOST_BYTES);
  setInFlight(calls.length);
  let status = 0;
  let wait = 0;
  let answer: any;
  const abort = new AbortController();
  const watch = setTimeout(() => abort.abort(), PATIENCE);
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
      // Other scripts may have used up what keepalive requests share: then a
      // plain one still gets through.
      keepalive: !offline,
      signal: abort.signal,
    });
    status = response.status;
    const after = response.headers.get('Retry-After') || 0;
    wait = +after * 1e3 || Date.parse(after as string) - Date.now() || 0;
    answer = await response.json();
  } catch {}
  clearTimeout(watch);
  setInFlight(0);
  receive(calls, status, answer, wait);
}

function receive(calls: Call[], status: number, answer: any, wait: number): void {
  const results: any[] | false = status === 200 && Array.isArray(answer?.results) && answer.results;
  const refused = status > 399 && status < 500 && status !== 429;
  if (results) {
    if (answer.epoch) epoch = answer.epoch;
    answered();
  }
  if (results || refused) {
    failures = 0;
    offline = false;
    if (status === 413 && calls[1]) limit = calls.length >> 1;
    else {
      limit = MOST_UNANSWERED;
      for (const call of calls) settle(call, resultOf(call, results ? results.find((r) => r?.id === call.id_) : answer, status));
    }
    save();
    send();
    return;
  }
  offline = !status;
  const pause = Math.min(1e3 * 2 ** failures++, SLOWEST);
  if (epoch || failures < HOPELESS || status) {
    timer = setTimeout(resume, Math.min(Math.max(0, wait), LONGEST) + (pause * (1 + Math.random())) / 2);
  } else timer = 1; // until the network comes back, or the next page
}

function resultOf(call: Call, answer: any, status: number): Result {
  if (answer?.success) return { success: true, data: answer.data ?? null };
  if (answer?.error) return { success: false, error: answer.error };
  return fail(call.code_, 'the server answered ' + status);
}

function resume(): void {
  clearTimeout(timer as number);
  timer = 0;
  send();
}

// reconnect tries at once when the network is back, unless the server asked to wait.
export function reconnect(): void {
  if (offline) resume();
}

// flush is for the end of a page: whatever is not in flight leaves now, as far
// as the browser carries it; the storage has the rest.
export function flush(): void {
  if (!queue[0]) return;
  save();
  send(); // runs up to its request before it returns
  const from = inFlight();
  if (!from || !queue[from]) return;
  // Before the first answer the beacon may be the request that makes the
  // device, so it repeats the init call under its id.
  const flying = queue.slice(0, from);
  const again = flying.filter((call) => !epoch && call.first_ && call.key_ === queue[from].key_);
  const room = flying.concat(again).reduce((left, { size_ }) => left - size_, MOST_KEEPALIVE);
  const known = again.length;
  const [calls, body] = pack(from, MOST_UNANSWERED - from + known, room, again);
  try {
    if (calls[known]) navigator.sendBeacon(endpoint, body);
  } catch {}
}
