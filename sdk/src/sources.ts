// Reads what a rule names out of the page. What is private is never read.

import { MOST_JSON, MOST_NODES } from './rules-limits';
import { BOOLEAN } from './types';

// ignored tells whether somebody marked the node, or what it is in, also from
// outside of the shadow tree that it belongs to.
export const ignored = (node: any): boolean => node && (node.matches?.('[data-people-ignore]') || ignored(node.parentNode || node.host));

// SECRET is found in the type, name, autocomplete or id of fields and metadata
// that hold passwords, cards, one-time codes or what protects a form. The type
// alone would not do: a button that shows a password changes it.
const SECRET = /passw|pwd|srf|token|cc-|card|cv[cv]|one-time|^file/i;

let nodes: number;

// textOf is the text without what is marked, what is no text, and what a
// visitor typed or could choose.
const textOf = (node: any): string =>
  nodes-- < 0 || node.matches?.('[data-people-ignore],script,style,select,textarea')
    ? ''
    : node.data || [...node.childNodes].map(textOf).join('');

// inElement reads an attribute; the text for the name null; and for an empty
// name what the element says: its value, the content of metadata, or its text.
const inElement = (element: any, name: string | null, type: number): any => {
  const { value, checked } = element;
  if (ignored(element) || SECRET.test([element.type, element.name, element.autocomplete, value && element.id] as any)) return;
  if (name) return name === 'value' ? value : element.getAttribute(name);
  if (name === '' && /^(che|rad)/.test(element.type)) return type === BOOLEAN ? checked : checked ? value : '';
  nodes = MOST_NODES;
  return (name === '' && (value || element.getAttribute('content'))) || textOf(element);
};

// inDocuments finds a value in the JSON-LD of the page: in an object of the type,
// where there is one, and of a list in its first item. An outer object is
// visited after those in it, and wins.
const inDocuments = (type: string, path: string[]): any => {
  let found: any;
  for (const script of document.querySelectorAll<HTMLScriptElement>('[type$="ld+json"]')) {
    try {
      if (!ignored(script))
        JSON.parse(script.text.slice(0, MOST_JSON), (_, node) => {
          const value =
            !type || [node?.['@type']].flat().includes(type) ? path.reduce((object, step) => [object?.[step]].flat()[0], node) : null;
          if (typeof value != 'object') found = value ?? found;
          return node;
        });
    } catch {}
  }
  return found;
};

// read gives the value of a source as the page has it, or nothing. The place is
// 0 for a part of the address, 1 for a parameter of its query, 2 for JSON-LD, or
// the selector of an element, which is looked for inside of the given one first
// and then inside of each element around it. An empty selector is the given one.
export const read = (element: any, type: number, place: any, name: string, path: string[]): any => {
  if (place === 0) return (location as any)[name];
  if (place === 1) return new URL(location as any).searchParams.get(name);
  if (place === 2) return inDocuments(name, path);
  for (; element; element = element.parentNode || element.host) {
    const found = !place || element.matches?.(place) ? element : element.querySelector(place);
    if (found) return inElement(found, name, type);
  }
};
