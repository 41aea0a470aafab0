// Page views of a single-page site after the first one: whenever the path
// changes without a new document. That needs the Navigation API; patching the
// site's history instead could be seen.

import { everyNavigation } from './config';
import { SETTLE } from './limits';
import { moved } from './page';
import { further } from './session';

let { pathname, href } = location;
let timer: any;

const changed = () => {
  if (location.pathname === pathname) return;
  settled(); // an earlier view whose title did not settle
  moved(href);
  ({ pathname, href } = location);
  timer = setTimeout(settled, SETTLE);
};
if (everyNavigation) (window as any).navigation?.addEventListener('currententrychange', changed);

// settled counts the view that waits for its title; the end of a page does too.
export function settled(): void {
  if (timer) further();
  clearTimeout(timer);
  timer = 0;
}
