// Page views of a single-page site after the first one.

import { everyNavigation } from './config';
import { SETTLE } from './limits';
import { moment, moved } from './page';
import { further } from './session';

let { pathname, href } = location;
let timer: any;
let at = 0;

// follow counts a view whenever the path changes without a new document. It
// needs the Navigation API; patching the site's history instead could be seen.
export function follow(): void {
  if (everyNavigation) (window as any).navigation?.addEventListener('currententrychange', changed);
}

function changed(): void {
  if (location.pathname === pathname) return;
  settled(); // an earlier view whose title did not settle
  moved(href);
  ({ pathname, href } = location);
  at = Date.now();
  timer = setTimeout(settled, SETTLE);
}

// settled counts the view that waits for its title; the end of a page does too.
export function settled(): void {
  if (timer) further(moment(at));
  clearTimeout(timer);
  timer = 0;
}
