// The state of this page: which key is in force, whether calls are accepted,
// what was seen before they were, and the views.

import { automaticKey } from './config';
import { adopt, hold } from './queue';
import { Code, Result, fail } from './results';
import { Moment, enqueue, moment, schedule } from './sender';
import { liveChatReady, widgetId } from './livechat';

let key = '';
let begun = false;
let viewed = false;
let viewWaits = false;
const held: Array<() => void> = [];

// An explicit init, under way or done. It stays until it fails.
let explicit: { key_: string; begun_: Promise<boolean>; result_: Promise<Result> } | undefined;

// explicitly initialises for the page. The first call wins; a further one
// shares its outcome (B21).
export function explicitly(apiKey: string): Promise<Result> {
  if (explicit) {
    if (explicit.key_ !== apiKey) return Promise.resolve(fail(2020, 'already initialized with another API key'));
    return explicit.result_.then((result) =>
      result.success
        ? { success: true, data: { warnings: [{ code: 'already_initialized', message: 'init() was called before' }] } }
        : result,
    );
  }
  const before = key;
  const undo = () => {
    explicit = undefined;
    key = before;
    begun = !!before;
  };
  let tell: (begun: boolean) => void;
  const begun_ = new Promise<boolean>((resolve) => (tell = resolve));
  const result_ = whenActive()
    .then(() => liveChatReady(1e4))
    .then((ready) => {
      if (!ready) undo();
      tell(ready);
      return ready ? begin(apiKey, (result) => result.success || undo()) : fail(4001);
    });
  explicit = { key_: apiKey, begun_, result_ };
  return result_;
}

// initialised tells whether calls can be made, at once or when the promise
// resolves to true.
export const initialised = () => explicit && (begun && key === explicit.key_ ? true : explicit.begun_);

// automatically initialises when the page did not do so itself. It waits
// without limit: nobody is told of a failure.
export function automatically(): void {
  if (automaticKey === null) return;
  whenActive()
    .then(() => liveChatReady())
    .then(() => {
      if (!explicit) begin(automaticKey!);
    });
}

function begin(apiKey: string, onAnswer?: (result: Result) => void): Promise<Result> {
  key = apiKey;
  hold();
  const result = enqueue(key, 'init', '{}', 2020, moment(), onAnswer);
  adopt(schedule);
  begun = true;
  held.splice(0).forEach((action) => action());
  if (!viewed) viewWhenVisible();
  return result;
}

export const isBegun = () => begun;

export const call = (method: string, params: string, code: Code, made?: Moment, onAnswer?: (result: Result) => void) =>
  enqueue(key, method, params, code, made, onAnswer);

// whenBegun runs what was seen of Live Chat now, or in order after init.
export function whenBegun(action: () => void): void {
  if (begun) action();
  else if (held.push(action) > 50) held.shift();
}

// view reports a page view.
export function view(made?: Moment): Promise<Result> {
  viewed = true;
  const under = key;
  return call('page', '{}', 2020, made, (result) => {
    // Refused under the automatic key while an explicit init took over: the
    // view is still to be counted.
    if (!result.success && begun && under !== key) view(made);
  });
}

// viewWhenVisible holds the first view while nobody can see the page.
export function viewWhenVisible(): void {
  viewed = true;
  viewWaits = document.visibilityState === 'hidden';
  if (!viewWaits) view();
}

export function visible(): void {
  if (viewWaits) viewWhenVisible();
  adopt(schedule);
}

// whenActive waits for a prerendered page to be opened: until then nothing may
// leave it.
function whenActive(): Promise<void> {
  return new Promise((resolve) => {
    if ((document as any).prerendering) document.addEventListener('prerenderingchange', () => resolve(), { once: true });
    else resolve();
  });
}

let started = false;
let token: string | undefined;

// chat reports a state of the Live Chat session.
export function chat(state: string, jwt?: string, made = moment()): Promise<Result> {
  started = state === 'started' || (state !== 'ended' && started);
  const params = JSON.stringify({ state, widgetId: widgetId(), token: jwt });
  return call('chat', params, 2020, made, (result) => {
    // The next message is another chance.
    if (!result.success && state === 'started') started = false;
  });
}

// observed takes what was seen of the widget. It may be told the same thing
// many times: the real script replays what its stub queued.
export function observed(state: string, jwt?: string): void {
  const made = moment();
  whenBegun(() => {
    if (state === 'started' ? started : jwt && jwt === token) return;
    if (state !== 'started') token = jwt;
    chat(state, jwt, made);
  });
}
