// What the script tag says. Read once, synchronously: document.currentScript is
// null in every later callback, and in a module.

// options are the data attributes, absent where they are not set:
//
//	key            initialise with it when the page does not do so itself
//	views          count every navigation inside the page
//	consent        nothing before the visitor's consent (B30)
//	consentCookie  "name=value" of the site's cookie that gives it
//	signals        the kinds of chat signals to observe (B9), all where absent
//	widgetOrigins  further origins of the widget's frame
const { src, dataset: options } = document.currentScript as HTMLScriptElement;
export { options };

// endpoint is on the page's own origin: a <base> of the page must not send
// calls elsewhere.
export const endpoint = location.origin + new URL('batch', src).pathname;

export const allows = (signal: string) => options.signals?.includes(signal) ?? true;

export const isWidgetOrigin = (origin: string) =>
  /^https:\/\/livechat(-[\w-]+)?\.infobip\.com$/.test(origin) || options.widgetOrigins?.split(' ').includes(origin);
