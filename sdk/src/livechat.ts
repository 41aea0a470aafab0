// Observes Live Chat without being seen (B9): the page must behave exactly as
// without us. Nothing is defined before the page defines it, everything passes
// through unchanged, and every look may happen many times.

import { allows, isWidgetOrigin } from './config';
import { observed } from './session';

let seen = false;
let widget: string | undefined;
const waiting: Array<(ready: boolean) => void> = [];

export const widgetId = () => widget;

// liveChatReady resolves to true once Live Chat is initialised, and to false
// when that takes longer than the limit in milliseconds.
export function liveChatReady(limit?: number): Promise<boolean> {
  look();
  return new Promise((resolve) => {
    if (seen) return resolve(true);
    waiting.push(resolve);
    if (limit) setTimeout(() => resolve(false), limit);
  });
}

function isReady(): void {
  seen = true;
  waiting.splice(0).forEach((resolve) => resolve(true));
}

const originals = new WeakMap<object, any>();

function trap(fn: any, see: (args: any) => void): any {
  const proxy = new Proxy(fn, {
    apply(target, self, args) {
      try {
        see(args);
      } catch {}
      return Reflect.apply(target, self, args);
    },
  });
  originals.set(proxy, fn);
  return proxy;
}

// command sees a command of the liveChat function.
function command([name, argument]: any): void {
  if (name === 'init') {
    const id = argument?.widgetId ?? argument;
    if (typeof id === 'string') widget = id;
    isReady();
  }
  if (!allows('calls')) return;
  if (name === 'auth' && typeof argument === 'string') observed('authenticated', argument);
  if (name === 'logout') observed('ended');
  if (name === 'sendMessage' || name === 'createThread') observed('started');
}

let proxies = new WeakMap<object, any>();

function wrap(value: any): any {
  value = originals.get(value) || value;
  if (typeof value !== 'function') return value;
  let proxy = proxies.get(value);
  if (!proxy) {
    proxies.set(value, (proxy = trap(value, command)));
    // What the loader's stub queued before it was wrapped.
    if (Array.isArray(value.q)) for (const args of value.q) command(args);
  }
  return proxy;
}

function lookAtFunction(): void {
  const found = Object.getOwnPropertyDescriptor(window, 'liveChat');
  // An accessor is ours, or the page's own and none of our business.
  if (!found || found.get || typeof found.value !== 'function' || originals.has(found.value)) return;
  let current = wrap(found.value);
  if (found.configurable) {
    Object.defineProperty(window, 'liveChat', {
      get: () => current,
      set: (value) => {
        current = wrap(value);
      },
      enumerable: found.enumerable,
      configurable: true,
    });
  } else if (found.writable) (window as any).liveChat = current; // a top-level function or var
}

declare const LiveChatSDK: any;

function lookAtClass(): void {
  // The bare name also finds a class declaration, which is no property of window.
  if (typeof LiveChatSDK !== 'function') return;
  isReady();
  if (!allows('calls')) return;
  const methods = LiveChatSDK.prototype;
  for (const name of ['sendMessage', 'createThread']) {
    const method = Object.getOwnPropertyDescriptor(methods, name);
    if (method?.configurable && typeof method.value === 'function' && !originals.has(method.value)) {
      Object.defineProperty(methods, name, { ...method, value: trap(method.value, () => observed('started')) });
    }
  }
}

// look wraps what the page has defined since the last look. A getter of the
// page or a class in its temporal dead zone may throw.
export function look(): void {
  for (const at of [lookAtFunction, lookAtClass]) {
    try {
      at();
    } catch {}
  }
}

// message sees what the widget's frame tells the page. Its origin is tested
// first: data of any kind arrives from anyone.
export function message(event: MessageEvent): void {
  if (!event.isTrusted || !isWidgetOrigin(event.origin)) return;
  isReady();
  if (!allows('messages')) return;
  try {
    const data = typeof event.data === 'string' ? JSON.parse(event.data) : event.data;
    const told = data.destination || data.event || data.type || data.name;
    if (/^(send_?message|message_?sent|create_?thread|thread_?created)$/i.test(told)) observed('started');
  } catch {}
}
