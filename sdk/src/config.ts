// What the script tag says. Read once, synchronously: document.currentScript is
// null in every later callback.

const tag = document.currentScript as HTMLScriptElement | null;

const attribute = (name: string) => tag?.getAttribute('data-' + name) ?? null;
const words = (name: string) => attribute(name)?.split(' ');

// endpoint is absolute, so that a <base> of the page cannot send calls elsewhere.
export const endpoint = new URL(
  'batch',
  new URL(tag?.getAttribute('src') || '/_people/v1/sdk.js', location.href),
).href;

// automaticKey is the key to initialise with when the page does not do so
// itself; null turns that off.
export const automaticKey = attribute('key');

export const everyNavigation = attribute('views') === 'navigation';

// allows tells whether a kind of chat signal is to be observed (B9).
const signals = words('signals');
export const allows = (signal: string) => !signals || signals.includes(signal);

const origins = words('widget-origins');
export const isWidgetOrigin = (origin: string) =>
  /^https:\/\/livechat(-[a-z0-9-]+)?\.infobip\.com$/.test(origin) || !!origins?.includes(origin);
