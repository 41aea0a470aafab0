// Carries out the rules of the configuration (docs/instrumentation.md). The
// page notices nothing: events are seen before its own listeners and left as
// they are, and nothing here can throw into it.

import { json, moment } from './page';
import { HALF, MOST_HELD, MOST_VALUE, RESCAN } from './rules-limits';
import { enqueue } from './sender';
import { held, key } from './session';
import { ignored, read } from './sources';
import { types } from './types';

// A Rule is made by package instrument. The parameters hold a Value wherever
// something has to be read. The depth is 0 for elements that have to be visible,
// the part of the page that has to be seen for scrolling, and missing otherwise.
type Rule = [on: string, selector: string, method: string, params: unknown, depth?: any, seen?: any];

// A Value is [type, note, place, name, ...path]. No other list of the parameters
// begins with a number. The note is for developers, with debug.
type Value = [number, any, any, string, ...string[]];

declare const RULES: Rule[]; // stands in front of the script

// filled returns the parameters as JSON, without what could not be read.
const filled = (params: unknown, element: Element): string =>
  JSON.stringify(params, (_, value) => {
    if (typeof value?.[0] != 'number') return value;
    const [type, note, place, name, ...path] = value as Value;
    try {
      const text = ('' + (read(element, type, place, name, path) ?? '')).slice(0, MOST_VALUE).trim().replace(/\s+/g, ' ');
      const result = JSON.parse(text && json(types[type](text))); // NaN is null now, and the cut left no half characters
      if (result != null) return result;
    } catch {}
    value[1] = note && console.warn(note); // once
  }).replace('"properties":{},', '');

// happened carries out the rules for an event on the elements of the path,
// innermost first.
const happened = (what: string, path: any[]): void => {
  for (const [on, selector, method, params, depth, seen] of RULES) {
    try {
      const element = on === what && !ignored(path[0]) && path.find((node) => node.matches?.(selector));
      if (!element || (depth >= 0 && ((scrollY + innerHeight) / element.scrollHeight < depth || seen.has(element) || !seen.add(element)))) continue;
      const text = filled(params, element);
      const send = enqueue.bind(null, method, text, undefined, moment());
      if (!/[^{}]}/.test(text)) continue; // nothing in it
      if (key) send();
      else if (held.length < MOST_HELD) held.push(send);
    } catch {}
  }
};

const listener = (event: Event) => happened(event.type, event.composedPath());
addEventListener('click', listener, true);
addEventListener('submit', listener, true);
addEventListener('scroll', () => scrollY && happened('scroll', [document.documentElement]));

const watcher = new IntersectionObserver(
  (entries) => entries.forEach((entry) => entry.intersectionRatio >= HALF && happened('visible', [entry.target])),
  { threshold: HALF },
);

let timer: any;
let pathname: string;

// look watches the elements there are. In a new view all counts again.
const look = (fresh: any = pathname !== (pathname = location.pathname)) => {
  timer = 0;
  if (fresh) watcher.disconnect();
  for (const rule of RULES) {
    try {
      if (fresh) rule[5] = new WeakSet();
      if (rule[4] === 0) document.querySelectorAll(rule[1]).forEach((element) => watcher.observe(element));
    } catch {}
  }
};
look();

// A single-page site that moves on changes its document.
new MutationObserver(() => (timer = timer || setTimeout(look, RESCAN))).observe(document, { childList: true, subtree: true });
addEventListener('pageshow', ({ persisted }) => persisted && look(1));
