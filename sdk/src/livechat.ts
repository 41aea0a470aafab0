// Observes Live Chat without being seen (B9): the page must behave exactly as
// without us. Nothing is defined before the page defines it, everything passes
// through unchanged, and every look may happen many times.

import { allows, isWidgetOrigin } from './config';
import { json } from './page';
import { patch } from './patch';
import { liveChatSeen } from './ready';
import { observed } from './session';

export let widget: string | undefined;

const start = () => observed('started');
const starters = ['sendMessage', 'createThread'];

// command sees a command of the liveChat function.
const command = ([name, argument]: any): void => {
  if (name === 'init') {
    const id = argument?.widgetId ?? argument;
    if (typeof id === 'string') widget = id;
    liveChatSeen();
  }
  if (!allows('calls')) return;
  if (name === 'auth') observed('authenticated', argument);
  if (name === 'logout') observed('ended');
  if (starters.includes(name)) start();
};

declare const LiveChatSDK: any;

// look wraps what the page has defined since the last look. The real script
// takes the stub's place whenever it likes and is wrapped in its turn.
export const look = (): void => {
  try {
    patch(window, 'liveChat', command);
  } catch {}
  // The bare name also finds a class declaration, which is no property of window.
  for (const name of starters) {
    try {
      const { prototype } = LiveChatSDK;
      liveChatSeen();
      if (allows('calls')) patch(prototype, name, start);
    } catch {}
  }
};

// What the widget's frame tells the page. The origin is tested first: data of
// any kind arrives from anyone.
const told = /(destination|event|type)\W+(sendMessage|messageSent|createThread|threadCreated)\b/i;

const message = ({ isTrusted, origin, data }: MessageEvent) => {
  if (isTrusted && isWidgetOrigin(origin)) {
    liveChatSeen();
    look(); // it may have replaced its function without any new script
    try {
      if (allows('messages') && told.test(json(data))) start();
    } catch {}
  }
};
addEventListener('message', message, true);

let listening: boolean | undefined;

// The visitor goes into the widget's frame: what is received from then on
// answers him (B9 d). Before that it is a greeting.
addEventListener('blur', () => {
  try {
    const { src } = document.activeElement as HTMLIFrameElement;
    if (!listening && allows('received') && isWidgetOrigin(new URL(src).origin)) {
      new LiveChatSDK().on('messageReceived', start);
      listening = true;
    }
  } catch {}
});
