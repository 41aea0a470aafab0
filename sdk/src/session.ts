// What is known of this page: who initialised it, whether it was counted, and
// the state of the chat.

import { automaticKey } from './config';
import { LIVE_CHAT } from './limits';
import { widgetId } from './livechat';
import { Moment, json, moment } from './page';
import { adopt, hold, queue, settle } from './queue';
import { active, isOpen, ready } from './ready';
import { Result, fail } from './results';
import { enqueue, key, schedule, useKey } from './sender';

// An explicit init, under way or done. It goes when it fails.
let explicit: { key_: string; result_: Promise<Result> } | undefined;
export const initialised = () => explicit;

// explicitly initialises for the page. The first call wins; a further one
// shares its outcome (B21). Calls made meanwhile queue behind it.
export async function explicitly(apiKey: string): Promise<Result> {
  if (!explicit) {
    const before = key;
    const result_ = begin(apiKey, ({ success }) => {
      if (success) return;
      explicit = undefined;
      useKey(before);
    });
    explicit = { key_: apiKey, result_ };
    active.then(() => setTimeout(refuse, LIVE_CHAT));
    return result_;
  }
  if (explicit.key_ !== apiKey) return fail(2020, 'already initialized with another API key');
  const result = await explicit.result_;
  return result.success
    ? { success: true, data: { warnings: [{ code: 'already_initialized', message: 'init() was called before' }] } }
    : result;
}

// refuse gives up waiting for Live Chat: init first, then what queued behind it.
function refuse(): void {
  if (!isOpen()) [...queue].forEach((call, i) => settle(call, fail(i ? 2015 : 4001)));
}

// automatically initialises when the page did not do so itself. It waits
// without limit: nobody is told of a failure.
export async function automatically(): Promise<void> {
  await ready;
  if (automaticKey && !explicit) begin(automaticKey);
}

function begin(apiKey: string, onAnswer?: (result: Result) => void): Promise<Result> {
  useKey(apiKey);
  const result = enqueue('init', '{}', 2020, onAnswer);
  ready.then(() => {
    hold();
    adopt(schedule);
  });
  held.splice(0).forEach((report) => report());
  firstView();
  return result;
}

// view counts a page view.
export const view = (made?: Moment, onAnswer?: (result: Result) => void) => enqueue('page', '{}', 2020, onAnswer, made);

// further counts a view after the first one, when there was an init.
export function further(made?: Moment): void {
  if (key) view(made);
}

let viewed = false;

// firstView counts the page once it is visible and its title is known, or now
// when it is left before that.
export function firstView(now?: boolean): void {
  if (!key || viewed || (!now && (document.hidden || document.readyState === 'loading'))) return;
  viewed = true;
  const under = key;
  view(moment(), ({ success }) => {
    viewed = success;
    // Refused under the automatic key while an explicit init took over.
    if (!success && key !== under) firstView();
  });
}

export function visible(): void {
  firstView();
  if (key) adopt(schedule);
}

const held: Array<() => void> = [];
let started = false;
let token: string | undefined;

// chat reports a state of the Live Chat session, after init where there was
// none yet.
export function chat(state: string, jwt?: string, made = moment()): any {
  if (state !== 'authenticated') started = state === 'started';
  if (state !== 'started') token = jwt;
  if (!key) return held.push(() => chat(state, jwt, made));
  return enqueue('chat', json({ state, widgetId: widgetId(), token: jwt }), 2020, ({ success }) => {
    // The next message is another chance.
    if (state === 'started') started = success;
  }, made);
}

// observed takes what was seen of the widget. It may be told the same thing
// many times: the real script replays what its stub queued.
export function observed(state: string, jwt?: string): void {
  if (state === 'started' ? !started : !jwt || jwt !== token) chat(state, jwt);
}
