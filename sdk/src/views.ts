// Page views of a single-page site after the first one: whenever the path
// changes without a new document.

import { options } from './config';
import { SETTLE } from './limits';
import { moment, moved } from './page';
import { patch } from './patch';
import { enqueue } from './sender';
import { key } from './session';

let { pathname, href } = location;
let timer: any;

const changed = () => {
  if (location.pathname === pathname) return;
  settled(href); // an earlier view whose title did not settle
  moved(href);
  ({ pathname, href } = location);
  timer = setTimeout(settled, SETTLE);
};

if (options.views) {
  const { navigation } = window as any;
  if (navigation) navigation.addEventListener('currententrychange', changed);
  else {
    addEventListener('popstate', changed);
    for (const name of ['pushState', 'replaceState']) patch(History.prototype, name, changed);
  }
}

// settled counts the view that waits for its title; the end of a page does too.
export const settled = (url?: string): void => {
  if (timer && key) enqueue('page', '{}', undefined, moment(url));
  clearTimeout(timer);
  timer = 0;
};
