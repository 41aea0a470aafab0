// Observes Live Chat without being seen (B9): the page must behave exactly as
// without us. Nothing is defined before the page defines it, everything passes
// through unchanged, and every look may happen many times.

import { allows, isWidgetOrigin } from './config';
import { liveChatSeen } from './ready';
import { observed } from './session';

let widget: string | undefined;
export const widgetId = () => widget;

const start = () => observed('started');

const originals = new WeakMap<object, any>(); // by proxy
const proxies = new WeakMap<object, any>(); // by original

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
    liveChatSeen();
  }
  if (!allows('calls')) return;
  if (name === 'auth' && typeof argument === 'string') observed('authenticated', argument);
  if (name === 'logout') observed('ended');
  if (name === 'sendMessage' || name === 'createThread') start();
}

function wrap(value: any): any {
  value = originals.get(value) || value;
  if (typeof value !== 'function') return value;
  if (!proxies.has(value)) {
    proxies.set(value, trap(value, command));
    // What the loader's stub queued before it was wrapped.
    try {
      value.q.forEach(command);
    } catch {}
  }
  return proxies.get(value);
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
  } else if (found.writable) (window as any).liveChat = current; // a top-level function or var
}

declare const LiveChatSDK: any;

function lookAtClass(): void {
  // The bare name also finds a class declaration, which is no property of window.
  const methods = LiveChatSDK.prototype;
  liveChatSeen();
  if (!allows('calls')) return;
  for (const name of ['sendMessage', 'createThread']) {
    const method = Object.getOwnPropertyDescriptor(methods, name)!;
    if (method?.configurable && typeof method.value === 'function' && !originals.has(method.value)) {
      method.value = trap(method.value, start);
      Object.defineProperty(methods, name, method);
    }
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
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    if (allows('messages') && /"(send_?message|message_?sent|create_?thread|thread_?created)"/i.test(text)) start();
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
