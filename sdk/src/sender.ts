// Sends the queue: one request at a time, in order, until each call is answered.

import { endpoint } from './config';
import { consented } from './consent';
import { answered, boot, current } from './device';
import { CONFIRM, LONGEST, MOST_SENT, MOST_UNANSWERED, PATIENCE } from './limits';
import { json, moment } from './page';
import { add, own, prune, queue, save, settle, sizeOf, tab } from './queue';
import { ready } from './ready';
import { Result, errors, fail, initRequired, notInitialized, warn } from './results';
import { key } from './session';

let behind = ''; // '+' and the id of the newest chat call without an answer
let sequence = 0;
let limit = MOST_UNANSWERED;
let failures = 0;
let reached: any = 1; // whether the last attempt had an answer at all
let timer: any = ready.then(() => (timer = 0)); // of the next attempt; a promise until calls may leave at all

// enqueue adds a call and resolves to its result, or five seconds after it
// could leave to a failure that says the call is kept. onAnswer gets the real
// result, also when it comes later than that.
export const enqueue = (
  method: string,
  params = '{}',
  onAnswer?: (result: Result) => void,
  [at, page] = moment(),
): Promise<Result> =>
  new Promise((resolve) => {
    const granted = consented();
    if (!granted && method !== 'consent') {
      resolve(warn('not_recorded'));
      // What may wait for consent are the views and the state of the chat.
      if (granted === false || errors[method]) return;
    }
    const id = tab + '-' + ++sequence;
    const body = `"id":"${id}","at":"${new Date(at).toJSON()}","epoch":"${current()}${behind}","method":"${method}","params":${params}`;
    const size = new Blob([body, page]).size + 24;
    if (size > MOST_SENT) return resolve(fail(method, 'too large'));
    if (method === 'chat') behind = '+' + id;
    add({
      id: own + '-' + sequence,
      at,
      key: key!,
      body,
      page,
      size,
      method,
      done(result) {
        if (behind === '+' + id) behind = '';
        onAnswer?.(result);
        resolve(result);
      },
    });
    prune();
    // At the end of the turn, so that calls made together travel together, and
    // never before Live Chat is ready.
    ready.then(() => {
      setTimeout(() => resolve(fail(method, 'sent again later')), CONFIRM);
      send();
    });
  });

// send sends what is not on its way yet: when nothing is, or the page ends.
export const send = async (leaving?: boolean): Promise<void> => {
  if (!timer.then) save();
  const away = queue.filter((call) => call.away);
  if (timer || consented() == null || (away[0] && !leaving)) return;
  prune();
  const fresh = queue.filter((call) => !call.away);
  // Before the first answer the last request may be the one that makes the
  // device, so it repeats what is in flight, init first, under the same ids.
  const first = fresh[0] && !current() ? queue : fresh;
  // As many as share an API key and fit.
  let room = MOST_SENT - sizeOf(away);
  const calls = first
    .slice(0, limit - away.length)
    .filter((call) => call.key === first[0].key && (room -= call.size) >= 0);
  if (!calls[0]) return;
  const pages = [...new Set(calls.map((call) => call.page))];
  const list = calls.map((call) => `{"page":${pages.indexOf(call.page)},${call.body}}`);
  let status = 0;
  let wait;
  let answer: any;
  calls.forEach((call) => (call.away = 1));
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      // As text/plain: the server takes it, and no preflight is ever needed.
      body: `${json({ apiKey: calls[0].key, sentAt: new Date(), boot: boot() }).slice(0, -1)},"pages":[${pages}],"calls":[${list}]}`,
      // Other scripts may have used up what keepalive requests share: then a
      // plain one still gets through.
      keepalive: leaving || reached,
      signal: AbortSignal.timeout?.(PATIENCE),
    });
    status = response.status;
    wait = +response.headers.get('Retry-After')! * 1e3;
    answer = await response.json();
  } catch {}
  calls.forEach((call) => (call.away = 0));
  reached = status;
  const results = status === 200 && answer?.results;
  if (results?.map || /^4(?!29)/.test(status as any)) {
    failures = 0;
    if (results && consented()) answered(answer.epoch);
    if (status === 413 && calls[1]) limit = calls.length >> 1;
    else
      calls.forEach((call, i) => {
        const { id, ...result } = { ...(results ? results[i] : answer) };
        settle(call, 'success' in result ? result : fail(call.method, 'status ' + status));
      });
    send();
  } else {
    // At random between what the server asked for and an ever growing pause, so
    // that the pages of a site do not come back all at once.
    timer = setTimeout(resume, Math.min((wait || 0) + 1e3 * 2 ** failures++ * Math.random(), LONGEST));
  }
};

const resume = (): void => {
  clearTimeout(timer);
  timer = 0;
  send();
};

// refuse gives up waiting for Live Chat: init first, then what queued behind it.
export const refuse = (): void => {
  if (timer.then) queue.forEach((call, i) => settle(call, i ? notInitialized : initRequired));
};

// The network is back: no need to wait, unless the server asked for it.
addEventListener('online', () => reached || resume());
