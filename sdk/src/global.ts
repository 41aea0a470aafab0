// Keeps the name PeopleTrackingSDK: a widget script that defines the class
// itself, and later, must not take the site's calls away.

import { Sdk } from './api';

const NAME = 'PeopleTrackingSDK';

// The global name, which a class or let declaration of another script shadows.
declare let PeopleTrackingSDK: unknown;

(Sdk as any).injected = true; // for once.ts

let claims = 0;

// warn says so once, and nothing at the first claim.
const warn = (): void => {
  if (claims++ === 1) console.warn(NAME + ' already defined');
};

// claim defines the name, and restores it after somebody redefined it.
export const claim = (): void => {
  try {
    if (PeopleTrackingSDK === Sdk) return;
  } catch {}
  warn();
  try {
    Object.defineProperty(window, NAME, {
      get: () => Sdk,
      set: (value) => value === Sdk || warn(),
      configurable: true,
    });
  } catch {
    (window as any)[NAME] = Sdk; // a top-level function left it writable
  }
  try {
    PeopleTrackingSDK = Sdk;
  } catch {}
};
