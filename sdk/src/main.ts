// Start: the class, its guard, the observer and the listeners, nothing else.
// Storage, random numbers and requests wait for init.

import './once';
import { claim } from './global';
import { OBSERVED } from './limits';
import { look } from './livechat';

const check = () => {
  claim();
  look();
};

check();

// The parser delivers these records before it runs the next script, so what
// one script defines is wrapped when the next one uses it.
const observer = new MutationObserver(check);
observer.observe(document, { childList: true, subtree: true });
setTimeout(() => observer.disconnect(), OBSERVED);
// The load event of a script reaches the document, but never the window, and
// that of the page the window alone. Behind the last script nothing is parsed.
document.addEventListener('load', check, true);
addEventListener('load', check);
