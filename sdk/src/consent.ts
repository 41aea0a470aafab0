// Consent (B30). Where the tag asks for it nothing is stored and nothing leaves
// before it is given; what waits, waits in memory.

import { options } from './config';

// The visitor's decision; undefined while there is none.
let granted: boolean | undefined = !options.consent || undefined;

export const decide = (decision: boolean) => (granted = decision);

// consented returns the decision. The site's dialog may set its cookie at any
// moment, so as long as there is none it is looked for every time.
export const consented = (): boolean | undefined =>
  (granted ??= `; ${document.cookie};`.includes(`; ${options.consentCookie};`) || undefined);
