// Start: the class, its guard, the observer and the listeners, nothing else.
// Storage, random numbers and requests wait for init.

import { claim } from './global';
import { look, message } from './livechat';
import { hold, letGo } from './queue';
import { flush, reconnect } from './sender';
import { automatically, visible } from './session';
import { follow, restored, settled } from './views';

const OBSERVED = 1e4; // ms after load; later scripts still announce themselves by their load event

// A second tag on the same page, or a page that was injected twice.
const mark = Symbol.for('people-tracking');

if (!(mark in window)) {
  Object.defineProperty(window, mark, { value: true });
  claim();

  const check = () => {
    claim();
    look();
  };
  // The parser delivers these records before it runs the next script, so what
  // one script defines is wrapped when the next one uses it.
  const observer = new MutationObserver(check);
  observer.observe(document, { childList: true, subtree: true });
  // The load event of a script reaches the document, but never the window.
  document.addEventListener('load', check, true);
  addEventListener('load', () => setTimeout(() => observer.disconnect(), OBSERVED));
  addEventListener('message', message, true);

  const end = () => {
    settled();
    flush();
  };
  addEventListener('visibilitychange', () => (document.visibilityState === 'hidden' ? end() : visible()));
  addEventListener('pagehide', () => {
    end();
    letGo();
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) {
      hold();
      restored();
    }
  });
  addEventListener('online', reconnect);
  follow();

  // One task after the page's own handlers: an init of the page comes first.
  const start = () => setTimeout(automatically);
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', start);
  else start();
}
