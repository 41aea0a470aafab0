// Page views after the first one.

import { everyNavigation } from './config';
import { here, moved } from './page';
import { Moment, moment } from './sender';
import { isBegun, view } from './session';

// SETTLE is how long in ms a single-page site has to set the title of a new
// view.
const SETTLE = 50;

let counted = location.pathname;
let address = location.href;
let timer: unknown;
let at = 0;

// follow counts a view whenever the path changes without a new document.
export function follow(): void {
  if (!everyNavigation) return;
  const navigation = (window as any).navigation;
  if (navigation) return navigation.addEventListener('currententrychange', changed);
  addEventListener('popstate', changed);
  for (const name of ['pushState', 'replaceState'] as const) {
    const original = history[name];
    history[name] = function (this: History, ...args: any) {
      const result = original.apply(this, args);
      changed();
      return result;
    };
  }
}

function changed(): void {
  if (location.pathname === counted) return;
  counted = location.pathname;
  settled(); // an earlier view whose title never settled
  at = Date.now();
  moved(address);
  address = location.href;
  timer = setTimeout(settled, SETTLE);
}

// settled counts the view that waits for its title; the end of a page does too.
export function settled(): void {
  if (!timer) return;
  clearTimeout(timer as number);
  timer = 0;
  const made: Moment = [at, here()];
  if (isBegun()) view(made);
}

// restored counts a page that came back from the back/forward cache.
export function restored(): void {
  if (isBegun()) view(moment());
}
