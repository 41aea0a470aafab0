// Start: the class, its guard, the observer and the listeners, nothing else.
// Storage, random numbers and requests wait for init.

import { claim, taken } from './global';
import { OBSERVED } from './limits';
import { blurred, look, message } from './livechat';
import { hold, letGo } from './queue';
import { flush, reconnect } from './sender';
import { automatically, firstView, further, visible } from './session';
import { follow, settled } from './views';

function check(): void {
  claim();
  look();
}

function end(): void {
  settled();
  flush();
}

// One task after the page's own handlers: an init of the page comes first.
function parsed(): void {
  setTimeout(automatically);
  firstView();
}

if (!taken) {
  check();

  // The parser delivers these records before it runs the next script, so what
  // one script defines is wrapped when the next one uses it.
  const observer = new MutationObserver(check);
  observer.observe(document, { childList: true, subtree: true });
  // The load event of a script reaches the document, but never the window.
  document.addEventListener('load', check, true);
  setTimeout(() => observer.disconnect(), OBSERVED);
  addEventListener('message', message, true);
  addEventListener('blur', blurred);

  addEventListener('visibilitychange', () => {
    if (!document.hidden) return visible();
    firstView(true);
    end();
  });
  addEventListener('pagehide', () => {
    end();
    letGo();
  });
  addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    hold();
    further();
  });
  addEventListener('online', reconnect);
  follow();
  if (document.body) parsed();
  else addEventListener('DOMContentLoaded', parsed);
}
