// Where a call is made: the page block of the protocol.

import { MOST_TEXT } from './limits';

// A page can shadow document.title and document.referrer with a named form or
// image, so anything but a string counts as missing. The cut keeps one long
// address from filling a request.
const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, MOST_TEXT) : '');

let previous: string | undefined;

// moved makes the given address the referrer of the views that follow: within
// a single-page site document.referrer stays at the first page's.
export const moved = (from: string) => (previous = from);

// Moment is when and where the page made a call. The page is JSON.
export type Moment = [at: number, page: string];

export const moment = (url = location.href): Moment => [
  Date.now(),
  json({
    url: text(url),
    title: text(document.title),
    referrer: text(previous ?? document.referrer),
    language: text(navigator.language),
    websiteLanguage: text(document.documentElement?.lang),
  }),
];

// json serialises without half surrogate pairs, which the server refuses as
// invalid UTF-8, with all the calls of their batch. The first alternative
// steps over escaped backslashes.
export const json = (value: unknown): string =>
  JSON.stringify(value)?.replace(/\\(\\|ud[89a-f]..)/g, (escape) => (escape[2] ? '\ufffd' : escape));
