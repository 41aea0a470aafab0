// What is known of this page: who initialised it, whether it was counted, and
// the state of the chat.

import { automaticKey } from './config';
import { LIVE_CHAT } from './limits';
import { widget } from './livechat';
import { Moment, json, moment } from './page';
import { adopt, hold, identify, letGo } from './queue';
import { active, ready } from './ready';
import { Result, fail } from './results';
import { enqueue, flush, key, refuse, schedule, useKey } from './sender';
import { settled } from './views';

// An explicit init, under way or done. It goes when it fails.
export let explicit: Promise<Result> | undefined;
let explicitKey: string;

// explicitly initialises for the page. The first call wins; a further one
// shares its outcome (B21). Calls made meanwhile queue behind it.
export async function explicitly(apiKey: string): Promise<Result> {
  if (!explicit) {
    const before = key;
    explicitKey = apiKey;
    explicit = begin(apiKey, ({ success }) => {
      if (success) return;
      explicit = undefined;
      useKey(before);
    });
    active.then(() => setTimeout(refuse, LIVE_CHAT));
    return explicit;
  }
  if (explicitKey !== apiKey) return fail(2020, 'another API key is in use');
  const result = await explicit;
  return result.success
    ? { success: true, data: { warnings: [{ code: 'already_initialized', message: 'already initialized' }] } }
    : result;
}

function begin(apiKey: string, onAnswer?: (result: Result) => void): Promise<Result> {
  useKey(apiKey);
  identify();
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
export function further(): void {
  if (key) view();
}

let viewed = false;

// firstView counts the page once it is visible and its head with the title is
// parsed, or now when it is left before that.
export function firstView(now?: boolean): void {
  if (!key || viewed || (!now && (document.hidden || !document.body))) return;
  viewed = true;
  view(moment(), ({ success }) => {
    viewed = success; // refused under one key, it counts under the next
  });
}

function end(): void {
  settled();
  flush();
}

addEventListener('visibilitychange', () => {
  firstView(document.hidden); // left before its head was parsed: it was seen
  if (document.hidden) end();
  else if (key) adopt(schedule);
});

addEventListener('pagehide', () => {
  end();
  letGo();
});

// Back from the back/forward cache.
addEventListener('pageshow', ({ persisted }) => {
  if (!persisted || !key) return;
  hold();
  view();
});

const held: Array<() => void> = [];
let started = false;
let token: string | undefined;

// chat reports a state of the Live Chat session, after init where there was
// none yet.
export function chat(state: string, jwt?: string, made = moment()): any {
  if (state !== 'authenticated') started = state === 'started';
  if (state !== 'started') token = jwt;
  if (!key) return held.push(() => chat(state, jwt, made));
  return enqueue('chat', json({ state, widgetId: widget, token: jwt }), 2020, ({ success }) => {
    // The next message is another chance.
    if (state === 'started') started = success;
  }, made);
}

// observed takes what was seen of the widget. It may be told the same thing
// many times: the real script replays what its stub queued.
export function observed(state: string, jwt?: string): void {
  if (state === 'started' ? !started : !jwt || jwt !== token) chat(state, jwt);
}

// Automatic initialisation, when the page did not do so itself. It waits
// without limit, as nobody is told of a failure, and one task longer than the
// page's own handlers.
const parsed = () => {
  setTimeout(async () => {
    await ready;
    if (automaticKey && !explicit) begin(automaticKey);
  });
  firstView();
};
if (document.body) parsed();
else addEventListener('DOMContentLoaded', parsed);
