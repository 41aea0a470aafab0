// What the script tag says. Read once, synchronously: document.currentScript is
// null in every later callback, and in a module.

const { src, dataset } = document.currentScript as HTMLScriptElement;

// endpoint is on the page's own origin: a <base> of the page must not send
// calls elsewhere.
export const endpoint = location.origin + new URL('batch', src).pathname;

// automaticKey is the key to initialise with when the page does not do so
// itself; without one that is off.
export const automaticKey = dataset.key;

export const everyNavigation = dataset.views;

// allows tells whether a kind of chat signal is to be observed (B9).
export const allows = (signal: string) => dataset.signals?.includes(signal) ?? true;

export const isWidgetOrigin = (origin: string) =>
  /^https:\/\/livechat(-[a-z0-9-]+)?\.infobip\.com$/.test(origin) || dataset.widgetOrigins?.split(' ').includes(origin);
