// What is known of this page: who initialised it, whether it was counted, and
// the state of the chat.

import { options } from './config';
import { LIVE_CHAT } from './limits';
import { widget } from './livechat';
import { json, moment } from './page';
import { decide } from './consent';
import { forget } from './device';
import { adopt } from './adopt';
import { queue, settle } from './queue';
import { active, ready } from './ready';
import { Result, fail, warn } from './results';
import { enqueue, refuse, send } from './sender';
import { each, write } from './storage';
import { settled } from './views';

// key is the API key in force; without one there was no init.
export let key: string | undefined;

// An explicit init, under way or done. It goes when it fails.
export let explicit: Promise<Result> | undefined;

// explicitly initialises for the page. The first call wins; a further one
// shares its outcome (B21). Calls made meanwhile queue behind it.
export const explicitly = async (apiKey: string): Promise<Result> => {
  if (!explicit) {
    const before = key;
    explicit = begin(apiKey, ({ success }) => {
      if (success) return;
      explicit = undefined;
      key = before;
    });
    active.then(() => setTimeout(refuse, LIVE_CHAT));
    return explicit;
  }
  if (key !== apiKey) return fail('', 'other key in use');
  const result = await explicit;
  return result.success ? warn('already_initialized') : result;
};

const begin = (apiKey: string, onAnswer?: (result: Result) => void): Promise<Result> => {
  key = apiKey;
  if (decision != null) report(decision);
  const result = enqueue('init', '{}', onAnswer);
  ready.then(adopt);
  held.splice(0).forEach((report) => report());
  firstView();
  return result;
};

// view counts a page view.
export const view = (onAnswer?: (result: Result) => void) => enqueue('page', '{}', onAnswer);

let decision: boolean | undefined;

const report = (granted: boolean) => enqueue('consent', json({ granted }));

// consent takes the visitor's decision (B30), and tells the server once there
// was an init. A withdrawal leaves nothing behind in this browser.
export const consent = (granted: boolean): Result | Promise<Result> => {
  decide((decision = granted));
  // An older decision must not come behind this one.
  for (const call of queue) if (!granted || call.method === 'consent') settle(call, warn('not_recorded'));
  if (!granted) {
    each(write);
    forget();
  }
  return key ? report(granted) : warn('not_initialized');
};

let viewed: boolean | undefined;

// firstView counts the page once it is visible and its head with the title is
// parsed, or now when it is left before that.
export const firstView = (now?: boolean): void => {
  if (!key || viewed || (!now && (document.hidden || !document.body))) return;
  viewed = true;
  view(({ success }) => {
    viewed = success; // refused under one key, it counts under the next
  });
};

const end = (): void => {
  settled();
  send(true);
};

addEventListener('visibilitychange', () => {
  firstView(document.hidden); // left before its head was parsed: it was seen
  if (document.hidden) end();
  else if (key) adopt();
});

addEventListener('pagehide', end);

// Back from the back/forward cache.
addEventListener('pageshow', ({ persisted }) => {
  if (persisted && key) view();
});

export const held: Array<() => void> = [];
let started: boolean | undefined;
let token: string | undefined;

// chat reports a state of the Live Chat session, after init where there was
// none yet.
export const chat = (state: string, jwt?: string, made = moment()): any => {
  started = state === 'started' || (started && !!jwt); // whoever ends gives no token
  if (state !== 'started') token = jwt;
  if (!key) return held.push(() => chat(state, jwt, made));
  return enqueue('chat', json({ state, widgetId: widget, token: jwt }), ({ success }) => {
    started &&= success; // the next message is another chance
  }, made);
};

// observed takes what was seen of the widget. It may be told the same thing
// many times: the real script replays what its stub queued.
export const observed = (state: string, jwt?: string): void => {
  if (state === 'started' ? !started : !jwt || jwt !== token) chat(state, jwt);
};

// Automatic initialisation, when the page did not do so itself. It waits
// without limit, as nobody is told of a failure, and one task longer than the
// page's own handlers.
const parsed = () => {
  setTimeout(() =>
    ready.then(() => {
      if (options.key && !explicit) begin(options.key);
    }),
  );
  firstView();
};
if (document.body) parsed();
else addEventListener('DOMContentLoaded', parsed);
