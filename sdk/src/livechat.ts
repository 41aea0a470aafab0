// Observes Live Chat without being seen (B9): the page must behave exactly as
// without us. Nothing is defined before the page defines it, everything passes
// through unchanged, and every look may happen many times.

import { allows, isWidgetOrigin } from './config';
import { liveChatSeen } from './ready';
import { observed } from './session';

let widget: string | undefined;
export const widgetId = () => widget;

const start = () => observed('started');
const starters = ['sendMessage', 'createThread'];

const proxies = new WeakMap<object, any>(); // by original, and by themselves

function trap(fn: any, see: (args: any) => void): any {
  const proxy = new Proxy(fn, {
    apply(target, self, args) {
      try {
        see(args);
      } catch {}
      return Reflect.apply(target, self, args);
    },
  });
  proxies.set(fn, proxy).set(proxy, proxy);
  return proxy;
}

// command sees a command of the liveChat function.
function command([name, argument]: any): void {
  if (name === 'init') {
    const id = argument?.widgetId ?? argument;
    if (typeof id === 'string') widget = id;
    liveChatSeen();
  }
  if (!allows('calls')) return;
  if (name === 'auth' && typeof argument === 'string') observed('authenticated', argument);
  if (name === 'logout') observed('ended');
  if (starters.includes(name)) start();
}

function wrap(value: any): any {
  if (typeof value !== 'function' || proxies.has(value)) return proxies.get(value) || value;
  // What the loader's stub queued before it was wrapped.
  try {
    value.q.forEach(command);
  } catch {}
  return trap(value, command);
}

function lookAtFunction(): void {
  const found = Object.getOwnPropertyDescriptor(window, 'liveChat')!;
  // An accessor is ours, or the page's own and none of our business.
  const { value, enumerable } = found;
  let current = wrap(value);
  if (current === value) return;
  if (found.configurable) {
    Object.defineProperty(window, 'liveChat', {
      get: () => current,
      set: (value) => (current = wrap(value)),
      enumerable,
      configurable: true,
    });
  } else (window as any).liveChat = current; // a top-level function or var
}

declare const LiveChatSDK: any;

function lookAtClass(): void {
  // The bare name also finds a class declaration, which is no property of window.
  const methods = LiveChatSDK.prototype;
  liveChatSeen();
  if (!allows('calls')) return;
  for (const name of starters) {
    // An own, configurable function, or one of these throws.
    try {
      const method = Object.getOwnPropertyDescriptor(methods, name)!;
      if (proxies.has(method.value)) continue;
      method.value = trap(method.value, start);
      Object.defineProperty(methods, name, method);
    } catch {}
  }
}

// look wraps what the page has defined since the last look. What is not there
// throws, as a getter of the page may.
export function look(): void {
  try {
    lookAtFunction();
  } catch {}
  try {
    lookAtClass();
  } catch {}
}

// message sees what the widget's frame tells the page. Its origin is tested
// first: data of any kind arrives from anyone.
export function message({ isTrusted, origin, data }: MessageEvent): void {
  if (!isTrusted || !isWidgetOrigin(origin)) return;
  liveChatSeen();
  try {
    const told = /(destination|event|type|name)\W+(sendMessage|messageSent|createThread|threadCreated)\b/i;
    if (allows('messages') && told.test(JSON.stringify(data))) start();
  } catch {}
}

let listening = false;

// blurred notices the visitor going into the widget's frame: what is received
// from then on answers him (B9 d). Before that it is a greeting.
export function blurred(): void {
  try {
    const { src } = document.activeElement as HTMLIFrameElement;
    if (listening || !allows('received') || !isWidgetOrigin(new URL(src).origin)) return;
    new LiveChatSDK().on('messageReceived', start);
    listening = true;
  } catch {}
}
