// Keeps the name PeopleTrackingSDK: a widget script that defines the class
// itself, and later, must not take the site's calls away.

import { Sdk } from './api';

const NAME = 'PeopleTrackingSDK';

// The global name, which a class or let declaration of another script shadows.
declare let PeopleTrackingSDK: unknown;

Object.defineProperty(Sdk, 'name', { value: NAME }); // the minified one says nothing

let warned = false;

function warn(): void {
  if (!warned) console.warn(NAME + ': another definition is ignored');
  warned = true;
}

const get = () => Sdk;

// claim defines the name, and restores it after somebody redefined it.
export function claim(): void {
  try {
    const found = Object.getOwnPropertyDescriptor(window, NAME);
    if (found?.get !== get && found?.value !== Sdk) {
      if (found) warn();
      if (found?.configurable ?? true) {
        Object.defineProperty(window, NAME, { get, set: (value) => value === Sdk || warn(), configurable: true });
      } else (window as any)[NAME] = Sdk; // a top-level function left it writable
    }
    if (PeopleTrackingSDK !== Sdk) {
      warn();
      PeopleTrackingSDK = Sdk;
    }
  } catch {}
}

// taken tells that this script runs a second time on the page.
export const taken = (window as any)[NAME]?.injected;
(Sdk as any).injected = true;
