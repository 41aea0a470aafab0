// localStorage, which may be blocked, full or gone: every access may throw.
// What is stored is of one base path, as its cookies are: a site may have
// several on one origin.

import { endpoint } from './config';
import { consented } from './consent';

export const KEY = 'people' + endpoint;

// write stores the text, or removes what is stored where there is none.
export const write = (key: string, text?: unknown) => {
  try {
    if (text && consented()) localStorage[key] = text;
    else delete localStorage[key];
  } catch {}
};

// each calls back with every key that pages of this base path have stored, or
// with those of one page.
export const each = (use: (key: string) => void, prefix = KEY) => {
  try {
    for (const key in localStorage) if (key.startsWith(prefix)) use(key);
  } catch {}
};
