// Keeps the name PeopleTrackingSDK: a widget script that defines the class
// itself, and later, must not take the site's calls away.

import { Sdk } from './api';

const NAME = 'PeopleTrackingSDK';

// The global name, which a class or let declaration of another script shadows.
declare let PeopleTrackingSDK: unknown;

Object.defineProperty(Sdk, 'name', { value: NAME }); // the minified one says nothing

let warned = false;

function warn(): void {
  if (!warned) console.warn(NAME + ' is defined by people tracking, another definition is ignored');
  warned = true;
}

const accessor = {
  get: () => Sdk,
  set: (value: unknown) => {
    if (value !== Sdk) warn();
  },
  configurable: true,
};

// claim defines the name, and restores it after somebody redefined it.
export function claim(): void {
  try {
    const found = Object.getOwnPropertyDescriptor(window, NAME);
    if (found?.get !== accessor.get && found?.value !== Sdk) {
      if (found) warn();
      if (!found || found.configurable) Object.defineProperty(window, NAME, accessor);
      else (window as any)[NAME] = Sdk; // a top-level function left it writable
    }
    if (PeopleTrackingSDK !== Sdk) {
      warn();
      PeopleTrackingSDK = Sdk;
    }
  } catch {}
}
